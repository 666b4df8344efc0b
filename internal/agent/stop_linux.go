package agent

import (
	"context"
	"os"
	"syscall"
	"time"
)

// stop drains the app, stops it and leaves. A second SIGTERM or SIGINT ends all of that at once.
func (a *agent) stop(signals <-chan os.Signal) (int, error) {
	if forced := a.drain(signals); forced != nil {
		return a.abort(forced)
	}
	code := 0
	if a.proc != nil {
		a.cfg.Log.Info("stopping the app", "grace", a.cfg.StopGrace)
		a.proc.signal(syscall.SIGTERM)
		forced, killed := a.awaitEnd(signals)
		if forced != nil {
			return a.abort(forced)
		}
		code = a.proc.exitCode()
		if code == 128+int(syscall.SIGTERM) || killed {
			code = 0 // as we wanted
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	left := make(chan error, 1)
	go func() { left <- a.cluster.Leave(ctx) }()
	for {
		select {
		case err := <-left:
			if err != nil {
				a.cfg.Log.Warn("left without telling everybody", "err", err)
			}
			return code, nil
		case sig := <-signals:
			if ends(sig) {
				cancel()
			}
		}
	}
}

// drain announces that the app shall get no new requests, and lets it serve on. It returns the signal that cut it short.
func (a *agent) drain(signals <-chan os.Signal) os.Signal {
	if !a.told.well {
		return nil // nobody sends it anything
	}
	a.cfg.Log.Info("draining", "timeout", a.cfg.DrainTimeout)
	a.announce(standing{well: true, draining: true})
	over := time.NewTimer(a.cfg.DrainTimeout)
	defer over.Stop()
	for {
		select {
		case res := <-a.checker.out:
			a.checked(res)
		case <-a.appEnded():
			return nil
		case sig := <-signals:
			if ends(sig) {
				return sig
			}
			a.forward(sig)
		case <-over.C:
			return nil
		}
	}
}

// awaitEnd waits until the app has ended after SIGTERM, and kills it when its grace is over (killed). forced is the
// signal that cut it short.
func (a *agent) awaitEnd(signals <-chan os.Signal) (forced os.Signal, killed bool) {
	over := time.NewTimer(a.cfg.StopGrace)
	defer over.Stop()
	for {
		select {
		case <-a.proc.ended:
			return nil, killed
		case <-a.checker.out: // nobody is interested any more
		case sig := <-signals:
			if ends(sig) {
				return sig, false
			}
			a.forward(sig)
		case <-over.C:
			a.cfg.Log.Warn("app did not end in time; killing it", "grace", a.cfg.StopGrace)
			a.proc.signal(syscall.SIGKILL)
			killed = true
		}
	}
}

// abort ends everything at once, without goodbye.
func (a *agent) abort(sig os.Signal) (int, error) {
	a.cfg.Log.Warn("second signal: ending at once", "signal", sig)
	if a.proc != nil {
		a.proc.signal(syscall.SIGKILL)
		<-a.proc.ended
	}
	return 128 + int(sig.(syscall.Signal)), nil
}
