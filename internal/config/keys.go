package config

import (
	"bytes"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

const (
	maxKeyFile = 64 << 10 // bytes
	maxPEMFile = 1 << 20  // bytes; the usual authorities take 220 KB
	maxKeys    = 16       // far more than a rotation needs
)

// ReadKeys reads a key file that was named by a flag, as the agent does, who
// has no configuration file: 16, 24 or 32 bytes each, the first one is the
// primary one. The error is of type [Errors].
func ReadKeys(flag, path string) ([][]byte, error) {
	c := &checker{readFile: readKeyFile}
	keys := c.keyFile(text{V: path, Set: true, At: flagValue(flag, kindText, path).at})
	if err := c.sorted(); err != nil {
		return nil, err
	}
	return keys, nil
}

// errTooOpen says that others may read a key file.
var errTooOpen = errors.New("every user of this machine may read it")

// readKeyFile reads a key file that only its owner (and group) may read. One that
// others may read too comes with errTooOpen: it may hold no secret. Windows keeps rights elsewhere, so they are not looked at there.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPEMFile+1))
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		err = errTooOpen
	}
	return data, err
}

// keyFile reads the keys from the file that t names; nil when it names none.
func (c *checker) keyFile(t text) [][]byte {
	keys, _ := c.keysAndPublic(t)
	return keys
}

// keysAndPublic reads the keys, and those by which balancers are known, from the file that t names; nil when it names
// none. Errors never show a key.
func (c *checker) keysAndPublic(t text) ([][]byte, []ed25519.PublicKey) {
	if !t.Set || t.Bad {
		return nil, nil
	}
	data, err := c.readFile(t.V)
	if err != nil {
		c.add(t.At, fmt.Sprintf("cannot read the key file: %v", plain(err)), readRemedy(t.V, err))
		return nil, nil
	}
	if len(data) > maxKeyFile {
		c.add(t.At, fmt.Sprintf("the key file %s is larger than %d bytes", t.V, maxKeyFile), "is it a key file at all?")
		return nil, nil
	}
	keys, public, err := parseKeys(data)
	if err != nil {
		c.add(t.At, fmt.Sprintf("the key file %s: %v", t.V, err), "each line is the base64 text of 16, 24 or 32 bytes, as made by: tandem keygen")
		return nil, nil
	}
	return keys, public
}

// plain drops "open PATH:" from an error: the line that names the path stands
// above it.
func plain(err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		return perr.Err
	}
	return err
}

func readRemedy(path string, err error) string {
	switch {
	case errors.Is(err, errTooOpen):
		return "chmod 600 " + path
	case errors.Is(err, fs.ErrNotExist):
		return keyRemedy(path)
	case errors.Is(err, fs.ErrPermission):
		return "read it as root or as the user that runs Tandem"
	default:
		return ""
	}
}

// keyRemedy makes a good key.
func keyRemedy(path string) string {
	return fmt.Sprintf("make one: tandem keygen %s", path)
}

// parseKeys reads base64 keys, one per line; empty lines and lines that begin
// with # are skipped. The first key is the primary one.
func parseKeys(data []byte) ([][]byte, []ed25519.PublicKey, error) {
	var (
		keys   [][]byte
		public []ed25519.PublicKey
	)
	number := 0
	for line := range bytes.Lines(data) {
		number++
		s := strings.TrimSpace(string(line))
		if s == "" || s[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(s, provenWord); ok {
			key, err := parsePublic(strings.TrimSpace(rest))
			if err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", number, err)
			}
			if public = append(public, key); len(public) > maxKeys {
				return nil, nil, fmt.Errorf("holds more than %d keys of balancers", maxKeys)
			}
			continue
		}
		key, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, nil, fmt.Errorf("line %d is not base64", number)
		}
		if n := len(key); n != 16 && n != 24 && n != 32 {
			return nil, nil, fmt.Errorf("line %d is a key of %d bytes, not of 16, 24 or 32", number, n)
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, nil, fmt.Errorf("holds more than %d keys", maxKeys)
		}
	}
	if len(keys) == 0 {
		return nil, nil, errors.New("holds no key")
	}
	return keys, public, nil
}

// sharedKey returns the index of the first key in a that is in b too, or -1.
func sharedKey(a, b [][]byte) int {
	for i, x := range a {
		for _, y := range b {
			if subtle.ConstantTimeCompare(x, y) == 1 {
				return i
			}
		}
	}
	return -1
}
