package client

import (
	"context"
	"fmt"
)

// Load sends the requests. It is made by [New] and runs once.
type Load struct {
	cfg  Config
	log  *Log
	text []byte // the request, the same each time
}

// New checks cfg and returns a load that will write into log.
func New(cfg Config, log *Log) (*Load, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tandem-lab\r\nConnection: close\r\n\r\n", cfg.Path, cfg.Host)
	return &Load{cfg: cfg, log: log, text: []byte(text)}, nil
}

// Run sends until ctx ends, and then returns nil with every socket closed.
// Requests that are open at that moment are given up and not recorded: who
// wants them waits for [Log.Settled] first. An error means that the client
// itself could not work (no namespace, no epoll, not Linux).
func (l *Load) Run(ctx context.Context) error {
	return l.cfg.Enter(func() error {
		if err := l.run(ctx); err != nil {
			return fmt.Errorf("client: %w", err)
		}
		return nil
	})
}
