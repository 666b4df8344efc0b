package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// WriteKey makes a key of 32 bytes and writes it to a new file that only its owner may read. A file that is there is
// never touched.
func WriteKey(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and is left as it is; name another file, or remove it if nobody uses it", path)
	}
	if err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	var key [32]byte
	rand.Read(key[:]) // never fails
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(key[:]))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("write a key: %w", err)
	}
	return nil
}
