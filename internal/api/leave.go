package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// leavePoll is how often an agent that leaves is looked at.
const leavePoll = 200 * time.Millisecond

// refuseLeave is what a balancer says to "tandem leave": unlike an agent it has nothing to leave behind but the cluster
// itself, and one that has left it while its VIP and connections stay would be worse than one that stops in order.
var refuseLeave = &Error{
	Message: "this is a balancer: it leaves the cluster when it stops, and only then",
	Remedy: "stop it ('systemctl stop tandem', or SIGTERM: the VIPs are handed over and connections drain first), " +
		"or keep it as a spare with 'tandem maint on'; to have an agent leave, name its socket with --socket",
}

// leaver is what an agent says of itself, as far as it is of interest here.
type leaver struct {
	Name  string `json:"name"`
	Stage string `json:"stage"` // serving, draining, stopping or leaving
}

// Leave has the agent that listens on the socket drain its apps, stop them, say goodbye and end, as SIGTERM does. It
// returns when the agent does not answer any more, with what was seen of it last. When ctx ends before, the agent goes
// on all the same. A balancer refuses.
func (c *Client) Leave(ctx context.Context) (Done, error) {
	var seen leaver
	if err := c.call(ctx, http.MethodPost, "/v1/leave", &seen); err != nil {
		return Done{}, err
	}
	tick := time.NewTicker(leavePoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		var now leaver
		err := c.get(ctx, "/v1/status", &now)
		switch {
		case ctx.Err() != nil:
			return Done{}, fmt.Errorf("%s goes on without being waited for; it was %s: %w", seen.Name, seen.Stage, ctx.Err())
		case err == nil:
			seen = now
		case !errors.Is(err, ErrUnreachable):
		case seen.Stage == "leaving":
			return Done{Message: seen.Name + " has left"}, nil
		default:
			return Done{Message: fmt.Sprintf("%s has ended; it was %s when it was seen last", seen.Name, seen.Stage)}, nil
		}
	}
}
