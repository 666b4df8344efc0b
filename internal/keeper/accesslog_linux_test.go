package keeper

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheAccessLogIsOpenedForMoreLines(t *testing.T) {
	if f, err := openAccessLog(""); f != nil || err != nil {
		t.Errorf("none: %v, %v", f, err)
	}
	name := filepath.Join(t.TempDir(), "access.log")
	for _, line := range []string{"a\n", "b\n"} {
		f, err := openAccessLog(name)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(line)
		f.Close()
	}
	if b, _ := os.ReadFile(name); string(b) != "a\nb\n" {
		t.Errorf("%q", b)
	}
	if st, err := os.Stat(name); err != nil || st.Mode().Perm()&0o027 != 0 {
		t.Errorf("%v, %v: others can read who asks for what", st.Mode(), err)
	}
	if _, err := openAccessLog(filepath.Join(name, "below")); err == nil {
		t.Error("a directory that is none")
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openAccessLog(fifo); err == nil {
		t.Error("a FIFO that nobody reads is no error; it might as well have been waited for")
	}
}
