package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// WriteKeys makes both keys that a cluster needs, in two new files as [WriteKey] does: the gossip key's also tells agents
// whom to take for a balancer.
func WriteKeys(gossip, balancer string) error {
	if err := WriteKey(balancer); err != nil {
		return err
	}
	keys, err := ReadKeys("--balancer-key-file", balancer)
	if err == nil {
		err = WriteKey(gossip, "# By this, agents know balancers that ask for their log. It is no secret.", PublicLine(keys[0]))
	}
	if err != nil {
		return fmt.Errorf("%w (%s was made)", err, balancer)
	}
	return nil
}

// WriteKey makes a key of 32 bytes and writes it to a new file that only its owner may read, with further lines after
// it. A file that is there is never touched.
func WriteKey(path string, more ...string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and is left as it is; name another file, or remove it if nobody uses it", path)
	}
	if err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	var key [32]byte
	rand.Read(key[:]) // never fails
	lines := append([]string{base64.StdEncoding.EncodeToString(key[:])}, more...)
	_, err = fmt.Fprintln(f, strings.Join(lines, "\n"))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("write a key: %w", err)
	}
	return nil
}
