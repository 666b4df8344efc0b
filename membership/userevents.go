package membership

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of a user event.
const (
	MaxEventPayload = 8 << 10 // bytes
	maxUserEvents   = 256     // that wait to be received
)

// UserEvent is what a user told the whole cluster.
type UserEvent struct {
	Name    string // as a member's name: 1 to 64 letters, digits, '.', '_' and '-'
	Payload []byte // at most MaxEventPayload bytes; what it means is the user's
	From    string // the member that it was given to, as it says
}

// Broadcast tells every member that is there, this one included, of a user event, directly over TCP, and asks again
// until each has taken it; none takes it twice. It returns how many have, and an error that names the others, after
// 6 s at most or when ctx ends.
func (c *Cluster) Broadcast(ctx context.Context, name string, payload []byte) (int, error) {
	if err := checkName(name); err != nil {
		return 0, fmt.Errorf("membership: event %w", err)
	}
	if len(payload) > MaxEventPayload {
		return 0, fmt.Errorf("%w: %d bytes where %d fit into an event", ErrPayloadTooLarge, len(payload), MaxEventPayload)
	}
	body := encodeUserEvent(name, payload)
	var missed []string
	if err := c.takeEvent(c.cfg.Name, body); err != nil {
		missed = append(missed, c.cfg.Name+": "+err.Error())
	}
	targets := c.targets()
	c.askAll(ctx, targets, orderEvent, body, func(i int, _ report, err error) {
		if err != nil {
			missed = append(missed, targets[i].name+": "+err.Error())
		}
	})
	if len(missed) > 0 {
		slices.Sort(missed)
		return len(targets) + 1 - len(missed), fmt.Errorf("membership: not taken by %s", strings.Join(missed, "; "))
	}
	return len(targets) + 1, nil
}

// UserEvents delivers what anybody told the cluster with Broadcast. 256 wait at most; what comes then is refused, and
// who sent it told. The channel is closed when Run returns.
func (c *Cluster) UserEvents() <-chan UserEvent { return c.userEvents }

// takeEvent queues a user event.
func (c *Cluster) takeEvent(from string, body []byte) error {
	name, payload, err := decodeUserEvent(body)
	if err != nil {
		c.count(&c.stats.BadMessages)
		return err
	}
	select {
	case c.userInbox <- UserEvent{Name: name, Payload: payload, From: from}:
		return nil
	default:
		c.count(&c.stats.DroppedMessages)
		return errors.New("too many events wait there")
	}
}

// encodeUserEvent returns the name with its length (uvarint) in front, and the payload.
func encodeUserEvent(name string, payload []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(name)))
	return append(append(b, name...), payload...)
}

func decodeUserEvent(b []byte) (name string, payload []byte, err error) {
	n, payload, ok := cutBytes(b)
	if !ok || len(payload) > MaxEventPayload {
		return "", nil, errors.New("event ends within its name, or is too large")
	}
	return string(n), payload, checkName(string(n))
}
