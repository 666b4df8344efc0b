package lbcore_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/tandem-lb/tandem/lbcore"
)

// waits has true when a call of Say that was told to wait has come, and false when it has been given up.
var waits = make(chan bool, 2)

// echoService is a service without generated code: Say answers what it is told, Talk each message of a stream.
var echoService = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := dec(in); err != nil {
			return nil, err
		}
		_ = grpc.SetTrailer(ctx, metadata.Pairs("took", "0s"))
		switch in.Value {
		case "fail":
			return nil, status.Error(codes.FailedPrecondition, "as asked")
		case "how long":
			_, bounded := ctx.Deadline()
			return wrapperspb.String(fmt.Sprint("bounded: ", bounded)), nil
		case "wait":
			waits <- true
			<-ctx.Done()
			waits <- false
			return nil, ctx.Err()
		}
		return in, nil
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Talk", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		for {
			in := new(wrapperspb.StringValue)
			if err := s.RecvMsg(in); errors.Is(err, io.EOF) {
				return status.Error(codes.OutOfRange, "that was all")
			} else if err != nil {
				return err
			}
			if err := s.SendMsg(in); err != nil {
				return err
			}
		}
	}}},
}

func grpcBackend(t *testing.T, options ...grpc.ServerOption) lbcore.BackendConfig {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := grpc.NewServer(options...)
	s.RegisterService(&echoService, nil)
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(s.Stop)
	return backendAt("grpc", ln.Addr())
}

// A real client and a real server of gRPC, with TLS on neither side, and on both.
func TestGRPC(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		l := newBed(t, []lbcore.BackendConfig{grpcBackend(t)}, withHTTP2, toHTTP2)
		talkGRPC(t, l, insecure.NewCredentials())
	})
	t.Run("tls", func(t *testing.T) {
		a := newAuthority(t)
		cert := a.sign("localhost")
		l := newBed(t, []lbcore.BackendConfig{grpcBackend(t, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))}, withHTTP2, toHTTP2,
			func(_ *lbcore.Config, f *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
				f.TLS = &lbcore.TLSConfig{Certificates: []tls.Certificate{cert}}
				p.TLS = &lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "localhost"}
			})
		talkGRPC(t, l, credentials.NewTLS(&tls.Config{RootCAs: a.pool(), ServerName: "localhost"}))
	})
}

// A stream whose client may still speak is not cut for being silent, or slow.
func TestGRPCStreamMayBeSilent(t *testing.T) {
	l := newBed(t, []lbcore.BackendConfig{grpcBackend(t)}, withHTTP2, toHTTP2, func(_ *lbcore.Config, f *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		f.Timeouts.Client, p.Timeouts.Server = 50*time.Millisecond, 50*time.Millisecond
	})
	conn, err := grpc.NewClient("passthrough:///"+l.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	s, err := conn.NewStream(t.Context(), &echoService.Streams[0], "/test.Echo/Talk")
	must(t, err)
	for range 3 {
		time.Sleep(300 * time.Millisecond) // longer than the timeouts that do not count here
		must(t, s.SendMsg(wrapperspb.String("x")))
		must(t, s.RecvMsg(new(wrapperspb.StringValue)))
	}
}

func talkGRPC(t *testing.T, l *bed, creds credentials.TransportCredentials) {
	conn, err := grpc.NewClient("passthrough:///"+l.addr, grpc.WithTransportCredentials(creds))
	must(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	say := func(ctx context.Context, text string, options ...grpc.CallOption) (string, error) {
		out := new(wrapperspb.StringValue)
		err := conn.Invoke(ctx, "/test.Echo/Say", wrapperspb.String(text), out, options...)
		return out.Value, err
	}

	var trailer metadata.MD
	for _, text := range []string{"", "hello", strings.Repeat("long ", 200_000)} {
		if got, err := say(ctx, text, grpc.Trailer(&trailer)); err != nil || got != text {
			t.Fatalf("%d bytes in place of %d: %v", len(got), len(text), err)
		}
	}
	if got := trailer.Get("took"); len(got) != 1 || got[0] != "0s" {
		t.Errorf("trailer %v", trailer)
	}
	if _, err := say(ctx, "fail"); status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "as asked" {
		t.Errorf("failure: %v", err)
	}
	if got, err := say(ctx, "how long"); err != nil || got != "bounded: true" {
		t.Errorf("the deadline of a call does not arrive: %q, %v", got, err)
	}
	while, giveUp := context.WithCancel(ctx)
	go func() {
		defer giveUp()
		select {
		case <-waits:
		case <-ctx.Done():
		}
	}()
	if _, err := say(while, "wait"); status.Code(err) != codes.Canceled {
		t.Errorf("a call that was given up: %v", err)
	}
	select {
	case <-waits:
	case <-ctx.Done():
		t.Error("the server does not hear that a call was given up")
	}

	s, err := conn.NewStream(ctx, &echoService.Streams[0], "/test.Echo/Talk")
	must(t, err)
	for i := range 50 {
		text := fmt.Sprintf("message %d %s", i, strings.Repeat("x", i*1000))
		must(t, s.SendMsg(wrapperspb.String(text)))
		out := new(wrapperspb.StringValue)
		must(t, s.RecvMsg(out))
		if out.Value != text {
			t.Fatalf("message %d is another", i)
		}
	}
	must(t, s.CloseSend())
	if err := s.RecvMsg(new(wrapperspb.StringValue)); status.Code(err) != codes.OutOfRange {
		t.Errorf("end of stream: %v", err)
	}
	if n := l.counters(); n.HTTP2.Connections != 1 {
		t.Errorf("%+v", n.HTTP2)
	}
}
