package control

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tandem-lb/tandem/internal/api"
)

// What balancers tell each other of themselves, so that any of them can show all. It goes as
// a question and its answer between members, so whoever holds the gossip key could lie, and
// nothing but what is shown depends on it.

const (
	askStatus  = "status v1"
	askMembers = "members v1" // answered by []api.Member, as packed JSON
	// maxNewest bounds the entries of the timeline in a report.
	maxNewest = 50
	// maxReport bounds a report that is unpacked, in bytes: some 10,000 backends.
	maxReport = 16 << 20
)

// report is the answer to askStatus, as packed JSON. Members are left out: each balancer
// knows them itself.
type report struct {
	Status api.Status  `json:"status"`
	Newest []api.Entry `json:"newest"`
}

// pack writes r in at most limit bytes. If it does not fit, older entries go first, then the
// backends' details, and then the backends.
func (r report) pack(limit int) ([]byte, error) {
	r.Status.Members = nil
	for _, less := range []func(){
		func() {},
		func() { r.Newest = r.Newest[max(0, len(r.Newest)-10):] },
		func() { r.Status.Pools = slimmer(r.Status.Pools) },
		func() { r.Status.Pools = emptied(r.Status.Pools) },
	} {
		less()
		b, err := squeeze(r)
		if err != nil || len(b) <= limit {
			return b, err
		}
	}
	return nil, errors.New("this balancer's status is too large to be told")
}

// slimmer leaves out of each backend what only its own balancer's metrics show.
func slimmer(pools []api.Pool) []api.Pool {
	out := make([]api.Pool, len(pools))
	for i, p := range pools {
		bs := make([]api.Backend, len(p.Backends))
		for j, b := range p.Backends {
			b.Status, b.ErrorsBy, b.LastError = nil, nil, ""
			bs[j] = b
		}
		p.Backends = bs
		out[i] = p
	}
	return out
}

func emptied(pools []api.Pool) []api.Pool {
	out := make([]api.Pool, len(pools))
	for i, p := range pools {
		p.Backends = []api.Backend{}
		out[i] = p
	}
	return out
}

// squeeze writes what balancers tell each other.
func squeeze(r any) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), nil
}

// unsqueeze reads it again.
func unsqueeze(b []byte, into any) error {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxReport+1))
	switch {
	case err != nil:
		return fmt.Errorf("report: %w", err)
	case len(text) > maxReport:
		return fmt.Errorf("report: more than %d bytes", maxReport)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// unpack reads what the balancer called node has said of itself.
func unpack(node string, b []byte) (report, error) {
	var r report
	if err := unsqueeze(b, &r); err != nil {
		return report{}, err
	}
	if r.Status.Node != node {
		return report{}, fmt.Errorf("report: %s says that it is %q", node, r.Status.Node)
	}
	r.Status.Members = nil
	r.Newest = r.Newest[max(0, len(r.Newest)-maxNewest):]
	return r, nil
}
