package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The protocol is grpc/doc/PROTOCOL-HTTP2.md and grpc/health/v1/health.proto of gRPC.
const (
	healthPath = "/grpc.health.v1.Health/Check"
	framePart  = 5    // bytes before a message: compressed or not, and its length
	maxMessage = 4096 // bytes of an answer; an honest one has two
)

// servingStates are those of HealthCheckResponse.
var servingStates = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

const serving = 1

// grpcCodes are the names of gRPC's statuses.
var grpcCodes = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

func (a *Asker) askGRPC(ctx context.Context, c net.Conn, addr netip.AddrPort) error {
	asked := "gRPC health" + a.elsewhere()
	if a.q.Service != "" {
		asked = fmt.Sprintf("gRPC health of %s%s", quote([]byte(a.q.Service)), a.elsewhere())
	}
	req := a.request(ctx, c, addr, string(healthRequest(a.q.Service)))
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := a.send(c, req)
	if err != nil {
		return fmt.Errorf("%s: no answer: %w", asked, because(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return unwell("%s: status %s of HTTP, want 200", asked, statusWords(resp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, framePart+maxMessage+1)) // trailers come with its end
	if err != nil {
		return fmt.Errorf("%s: the answer does not end: %w", asked, because(ctx, err))
	}
	if words := grpcStatus(resp); words != "" {
		return unwell("%s: %s", asked, words)
	}
	state, err := healthAnswer(body)
	switch {
	case err != nil:
		return unwell("%s: %v", asked, err)
	case state != serving:
		return unwell("%s: %s, want SERVING", asked, nameOf(servingStates, state))
	}
	return nil
}

// grpcStatus says which status a call ended with; "" for OK.
func grpcStatus(resp *http.Response) string {
	from := resp.Trailer
	if from.Get("Grpc-Status") == "" {
		from = resp.Header // an answer without a message has no trailers
	}
	code, err := strconv.ParseUint(from.Get("Grpc-Status"), 10, 31)
	if err != nil {
		return "the answer has no grpc-status: whoever answers speaks no gRPC"
	}
	if code == 0 {
		return ""
	}
	words := fmt.Sprintf("status %d %s", code, nameOf(grpcCodes, code))
	if m := from.Get("Grpc-Message"); m != "" {
		if plain, err := url.PathUnescape(m); err == nil {
			m = plain
		}
		words += ": " + quote([]byte(m))
	}
	return words
}

func nameOf(names []string, n uint64) string {
	if n < uint64(len(names)) {
		return names[n]
	}
	return fmt.Sprintf("of no name (%d)", n)
}

// healthRequest is a HealthCheckRequest in its frame.
func healthRequest(service string) []byte {
	var m []byte
	if service != "" {
		m = protowire.AppendString(protowire.AppendTag(m, 1, protowire.BytesType), service)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

// healthAnswer reads the state out of a HealthCheckResponse in its frame. Fields that it does
// not know are passed over; of a field that is there twice the last one counts, as in all of
// protobuf.
func healthAnswer(b []byte) (state uint64, err error) {
	if len(b) < framePart {
		return 0, errors.New("the answer holds no message")
	}
	n := binary.BigEndian.Uint32(b[1:])
	switch m := b[framePart:]; {
	case b[0] != 0:
		return 0, errors.New("the answer is compressed, which was not asked for")
	case n > maxMessage:
		return 0, fmt.Errorf("the answer has %d bytes, more than %d", n, maxMessage)
	case uint32(len(m)) != n:
		return 0, fmt.Errorf("the answer says that it has %d bytes, and has %d", n, len(m))
	default:
		b = m
	}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, errMalformed
		}
		b = b[n:]
		if num == 1 && typ == protowire.VarintType {
			state, n = protowire.ConsumeVarint(b)
		} else {
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return 0, errMalformed
		}
		b = b[n:]
	}
	return state, nil
}

var errMalformed = errors.New("the answer is no HealthCheckResponse")
