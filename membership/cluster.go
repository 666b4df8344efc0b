package membership

import (
	"context"
	"errors"
)

// MaxPayload is the largest payload of [Cluster.Send] in bytes.
const MaxPayload = 64 << 10

// Errors to branch on; all others only say what is wrong.
var (
	ErrMetaTooLarge    = errors.New("membership: meta is too large")
	ErrPayloadTooLarge = errors.New("membership: payload is too large")
	ErrUnknownMember   = errors.New("membership: no such member is there")
	ErrWrongKey        = errors.New("membership: the other side uses another gossip key")
	ErrClosed          = errors.New("membership: cluster is closed")
)

// Cluster is this node's view of the cluster, and its place in it. Its methods are safe for concurrent use.
type Cluster struct{}

// Open checks cfg, binds the sockets and starts memberlist (see Goroutines above). It joins nobody: [Cluster.Run] does.
func Open(cfg Config) (*Cluster, error) { return nil, errors.New("membership: not yet") }

// Run joins the seeds and rejoins what is missing, for ever, and delivers Events and Messages, until ctx ends or
// after Leave or Close. It returns nil then, when all its goroutines have ended, and closes both channels. It may be called once.
func (c *Cluster) Run(ctx context.Context) error { return nil }

// SeedsTried is closed when Run has tried each seed once, or 3 s after Run began. (Cold start waits for it.)
func (c *Cluster) SeedsTried() <-chan struct{} { return nil }

// Join tries each of the seeds (as in Config.Seeds) now and returns nil if one of them answered. They are not kept.
func (c *Cluster) Join(ctx context.Context, seeds ...string) error { return nil }

// Leave says goodbye and waits until that was gossiped, at most until ctx ends and never longer than 5 s.
// Afterwards the Cluster only can be closed; to come back, Open another, at once if need be.
func (c *Cluster) Leave(ctx context.Context) error { return nil }

// Members returns everybody known, sorted by name, this node included. Failed members are kept for a day and left
// ones for an hour, of both together at most 1024, the oldest dropped first.
func (c *Cluster) Members() []Member { return nil }

// Self returns this node as others see it.
func (c *Cluster) Self() Member { return Member{} }

// Events delivers what happens, in order. None is lost: they wait in a queue while nobody receives. When 8192 wait,
// only the newest of each member is kept (and conflicts), so that the queue is bounded by the number of members.
func (c *Cluster) Events() <-chan Event { return nil }

// Messages delivers what others sent with Send. 256 wait at most; what comes when nobody receives is dropped and counted.
func (c *Cluster) Messages() <-chan Message { return nil }

// Send gives payload (at most MaxPayload bytes) to the named member over TCP. A nil error means that its kernel has
// taken the connection, not that it has read; who needs that sends an answer.
func (c *Cluster) Send(ctx context.Context, name string, payload []byte) error { return nil }

// SetMeta announces another Meta: to every balancer directly, and to everybody by gossip. It returns when both were
// tried or ctx has ended (never later than 5 s); an error that is not about meta itself means that only gossip carries it.
func (c *Cluster) SetMeta(ctx context.Context, meta Meta) error { return nil }

// Stats are counters since Open.
type Stats struct {
	BadMeta         uint64 // messages about members ignored since their meta, name or address could not be believed
	BadMessages     uint64 // messages ignored since they could not be decoded
	DroppedMessages uint64 // messages dropped since nobody received
	MergedEvents    uint64 // events dropped in favour of a newer one of the same member
}

// Stats returns the counters.
func (c *Cluster) Stats() Stats { return Stats{} }

// Close ends everything at once, without goodbye, and returns when the sockets are closed. It may be called again.
func (c *Cluster) Close() error { return nil }
