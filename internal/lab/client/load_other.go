//go:build !linux

package client

import (
	"context"
	"errors"
)

func (l *Load) run(context.Context) error {
	return errors.New("the load needs Linux (epoll, timerfd)")
}
