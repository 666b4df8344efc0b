package ipc

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Hold makes a file of a descriptor, which it takes over, that is only to be handed on. The
// Go runtime would watch what os.NewFile is given, if it does not block: of a listening
// socket it would be told each connection, though others accept them, and wake a thread for
// it. It looks when the file is made, so it gets to see something else.
func Hold(fd int, name string) (*os.File, error) {
	defer unix.Close(fd)
	place, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("ipc: %s: %w", name, os.NewSyscallError("eventfd", err))
	}
	f := os.NewFile(uintptr(place), name)
	if err := unix.Dup3(fd, place, unix.O_CLOEXEC); err != nil {
		f.Close()
		return nil, fmt.Errorf("ipc: %s: %w", name, os.NewSyscallError("dup3", err))
	}
	return f, nil
}
