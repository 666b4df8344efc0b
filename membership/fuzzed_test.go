package membership

import (
	"io"
	"log/slog"

	"github.com/hashicorp/memberlist"
)

// fuzzed returns a Cluster that is on no network, for its delegate.
func fuzzed() (*Cluster, delegate) {
	c := &Cluster{
		cfg: Config{Name: "lb1"}, log: slog.New(slog.NewTextHandler(io.Discard, nil)), wire: "lb1#1-AA",
		inbox: make(chan Message, maxMessages), userInbox: make(chan UserEvent, maxUserEvents),
		wakeup: make(chan struct{}, 1), dispute: make(chan struct{}, 1),
		done: make(chan struct{}), left: make(chan struct{}), queue: newEventQueue(), table: newTable("lb1#1-AA"),
		questions: newQuestions(), carrier: newCarrier(), orders: newOrders(),
		closed: true, // so no order is carried out: it would be answered, and there is no network
	}
	c.ring, _ = openRing(nil, nil)
	return c, delegate{c}
}

func nodeFor(name string, addr []byte, port uint16, meta []byte) *memberlist.Node {
	return &memberlist.Node{Name: name, Addr: addr, Port: port, Meta: meta}
}
