package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// dockerClientArg makes this program the client in a container of its own: it asks the
// address until its standard input ends, and then prints its clientRecord.
const dockerClientArg = "docker-client"

// A clientRecord is what the client saw. Its times count from Zero, by the one clock that
// all containers of a machine share.
type clientRecord struct {
	Zero     time.Time        `json:"zero"`
	Settled  time.Duration    `json:"settled"`
	Requests []client.Request `json:"requests"`
}

// dockerClientMain is that client. It says "ready" when the first answer has come.
func dockerClientMain(target string) error {
	addr, err := netip.ParseAddrPort(target)
	if err != nil {
		return err
	}
	zero := time.Now()
	log := client.NewLog(zero)
	load, err := client.New(client.Config{Target: addr, Interval: dockerEvery}, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- load.Run(ctx) }()
	for len(log.Requests()) == 0 {
		time.Sleep(dockerEvery)
	}
	if err := json.NewEncoder(os.Stdout).Encode(clientRecord{Zero: zero}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	for last := log.Now(); log.Settled() < last; {
		time.Sleep(dockerEvery)
	}
	stop()
	return errors.Join(<-ended, json.NewEncoder(os.Stdout).Encode(clientRecord{zero, log.Settled(), log.Requests()}))
}

// A dockerClient is that container, seen from here.
type dockerClient struct {
	cmd  *exec.Cmd
	in   io.Closer
	out  *json.Decoder
	zero time.Time
}

// startClient starts it in the site's network, and waits for its first answer.
func (d *dockerSite) startClient(ctx context.Context) (*dockerClient, error) {
	c := exec.CommandContext(ctx, "docker", "run", "--rm", "-i", "--name", d.project+"-client", "--network", d.project+"_site",
		"--cap-drop", "ALL", "-v", filepath.Join(d.dir, "client")+":/client:ro", "--entrypoint", "/client",
		d.project, dockerClientArg, dockerVIP+":80")
	c.Stderr = d.errOut
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	k := &dockerClient{cmd: c, in: in, out: json.NewDecoder(bufio.NewReader(out))}
	var ready clientRecord
	if err := k.out.Decode(&ready); err != nil {
		return nil, errors.Join(fmt.Errorf("the client did not begin: %w", err), k.kill())
	}
	k.zero = ready.Zero
	return k, nil
}

// now is the time on the client's clock.
func (k *dockerClient) now() time.Duration { return time.Since(k.zero) }

// end has it stop, and returns what it saw.
func (k *dockerClient) end() (r clientRecord, err error) {
	if err := k.in.Close(); err != nil {
		return r, err
	}
	if err := k.out.Decode(&r); err != nil {
		return r, fmt.Errorf("the client's record: %w", err)
	}
	return r, nil
}

// kill ends it if it has not ended by itself.
func (k *dockerClient) kill() error {
	k.in.Close() // it may be closed already
	ended := make(chan error, 1)
	go func() { ended <- k.cmd.Wait() }()
	select {
	case <-ended: // however it ended: what it saw has been read, or has been missed
		return nil
	case <-time.After(10 * time.Second):
		return k.cmd.Process.Kill()
	}
}
