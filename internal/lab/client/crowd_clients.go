package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// line is a connection that is used for more than one request.
type line struct {
	net.Conn
	r *bufio.Reader
}

// dial opens a connection. It does not end with the crowd: what was begun is finished.
func (c *Crowd) dial() (*line, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Patience)
	defer cancel()
	conn, err := c.cfg.Dial(ctx, "tcp", c.cfg.Target)
	if err != nil {
		return nil, err
	}
	return &line{conn, bufio.NewReader(conn)}, nil
}

func (c *Crowd) host() string { return c.cfg.Target.String() }

// askOn asks for path again and again, with a pause after each answer. A connection whose last
// answer said so is followed by another; any other end is a failure.
func (c *Crowd) askOn(ctx context.Context, path string, between time.Duration) {
	var l *line
	for ctx.Err() == nil {
		var err error
		if l == nil {
			l, err = c.dial()
		}
		last := false
		if err == nil {
			last, err = c.ask(l, path)
		}
		c.note(err, func(r *CrowdReport) {
			r.Requests++
			if err != nil {
				r.Failed++
			}
			if last {
				r.Reconnects++
			}
		})
		if l != nil && (last || err != nil) {
			l.Close()
			l = nil
		}
		if err != nil { // who is refused at once does not ask ten thousand times
			pause(ctx, max(between, 20*time.Millisecond))
		}
		pause(ctx, between)
	}
	if l != nil {
		l.Close()
	}
}

// ask sends a request and reads its answer; last says that no other will follow on l.
func (c *Crowd) ask(l *line, path string) (last bool, err error) {
	if err := l.SetDeadline(time.Now().Add(c.cfg.Patience)); err != nil {
		return false, err
	}
	if _, err := fmt.Fprintf(l, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, c.host()); err != nil {
		return false, fmt.Errorf("GET %s: %w", path, err)
	}
	resp, err := http.ReadResponse(l.r, nil)
	if err != nil {
		return false, fmt.Errorf("GET %s: %w", path, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return false, fmt.Errorf("body of %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.Close, fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return resp.Close, nil
}

// streamOn keeps one stream open, one after the other. The first of each client is shorter, so
// that they do not all end at once.
func (c *Crowd) streamOn(ctx context.Context, i int) {
	life := c.cfg.StreamLife * time.Duration(i+1) / time.Duration(c.cfg.Streams)
	for ctx.Err() == nil {
		err := c.stream(ctx, i, life)
		c.note(err, func(r *CrowdReport) {
			r.Streams++
			if err != nil {
				r.Broken++
			}
		})
		if life = c.cfg.StreamLife; err != nil {
			pause(ctx, c.cfg.StreamEvery)
		}
	}
}

// messageSize is that of a stream's message, in bytes.
const messageSize = 64

// stream opens one, and exchanges messages until ctx or its life ends.
func (c *Crowd) stream(ctx context.Context, i int, life time.Duration) error {
	l, err := c.dial()
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	defer l.Close()
	if err := c.upgrade(l); err != nil {
		return err
	}
	began := time.Now()
	got := make([]byte, messageSize)
	for n := 0; ctx.Err() == nil && (life == 0 || time.Since(began) < life); n++ {
		want := fmt.Appendf(nil, "%-*s", messageSize, fmt.Sprintf("stream %d message %d", i, n))
		sent := time.Now()
		if err := l.SetDeadline(sent.Add(c.cfg.Patience)); err != nil {
			return err
		}
		if _, err := l.Write(want); err != nil {
			return fmt.Errorf("stream, message %d: %w", n, err)
		}
		if _, err := io.ReadFull(l.r, got); err != nil {
			return fmt.Errorf("stream, answer %d: %w", n, err)
		}
		took := time.Since(sent)
		c.note(nil, func(r *CrowdReport) {
			r.Messages++
			r.Stall = max(r.Stall, took)
			if !bytes.Equal(got, want) {
				r.Wrong++
			}
		})
		pause(ctx, c.cfg.StreamEvery-took)
	}
	return nil
}

// upgrade makes a stream of a fresh connection (RFC 9110, 7.8).
func (c *Crowd) upgrade(l *line) error {
	if err := l.SetDeadline(time.Now().Add(c.cfg.Patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(l, "GET /echo HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", c.host()); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	resp, err := http.ReadResponse(l.r, nil)
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade: %s", resp.Status)
	}
	return nil
}

// uploadOn sends one body after the other.
func (c *Crowd) uploadOn(ctx context.Context) {
	for ctx.Err() == nil {
		n, same, err := c.upload(ctx)
		c.note(err, func(r *CrowdReport) {
			r.Sent += n
			switch {
			case err != nil:
				r.UploadsBad++
			case !same:
				r.Wrong++
			}
			r.Uploads++
		})
		if err != nil {
			pause(ctx, c.cfg.StreamEvery)
		}
	}
}

// uploadChunks is how often a second a body's next piece is sent.
const uploadChunks = 50

// upload sends a body of unknown length until ctx or its life ends, and compares the hash that
// the app tells of it.
func (c *Crowd) upload(ctx context.Context) (n int64, same bool, err error) {
	l, err := c.dial()
	if err != nil {
		return 0, false, fmt.Errorf("upload: %w", err)
	}
	defer l.Close()
	_, err = fmt.Fprintf(l, "POST /upload HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", c.host())
	hash := sha256.New()
	piece := make([]byte, max(1, c.cfg.UploadPace/uploadChunks))
	for began := time.Now(); err == nil && ctx.Err() == nil && (c.cfg.UploadLife == 0 || time.Since(began) < c.cfg.UploadLife); {
		for i := range piece {
			piece[i] = byte(n>>10) + byte(i*7) // another one each time, so that a piece lost or doubled shows
		}
		hash.Write(piece)
		if err = l.SetDeadline(time.Now().Add(c.cfg.Patience)); err == nil {
			_, err = fmt.Fprintf(l, "%x\r\n%s\r\n", len(piece), piece)
		}
		n += int64(len(piece))
		pause(ctx, time.Second/uploadChunks)
	}
	if err == nil {
		_, err = io.WriteString(l, "0\r\n\r\n")
	}
	if err != nil {
		return n, false, fmt.Errorf("upload, after %d bytes: %w", n, err)
	}
	told, err := c.toldHash(l)
	if err != nil {
		return n, false, fmt.Errorf("upload of %d bytes: %w", n, err)
	}
	return n, told == hex.EncodeToString(hash.Sum(nil)), nil
}

// toldHash reads what the app says of an upload.
func (c *Crowd) toldHash(l *line) (string, error) {
	if err := l.SetDeadline(time.Now().Add(c.cfg.Patience)); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(l.r, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answer %s", resp.Status)
	}
	var told struct{ SHA256 string }
	return told.SHA256, json.NewDecoder(io.LimitReader(resp.Body, AnswerMax)).Decode(&told)
}
