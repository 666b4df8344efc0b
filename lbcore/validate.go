package lbcore

import (
	"errors"
	"fmt"
)

// Validate reports everything that SetPools and SetFrontends would refuse in these sets,
// but for what the system says of the listeners. It changes nothing.
func (p *Proxy) Validate(pools []PoolConfig, frontends []FrontendConfig) error {
	_, poolsErr := checked(pools, PoolConfig.withDefaults, func(c PoolConfig) string { return c.Name })
	_, frontendsErr := checked(frontends, FrontendConfig.withDefaults, func(c FrontendConfig) string { return c.Name })
	if err := errors.Join(poolsErr, frontendsErr); err != nil {
		return fmt.Errorf("lbcore: %w", err)
	}
	return nil
}
