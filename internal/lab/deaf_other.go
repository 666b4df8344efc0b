//go:build !linux

package lab

// Deafen fails here.
func (h *Host) Deafen() error { return problem }

// Undeafen fails here.
func (h *Host) Undeafen() error { return problem }

// Silence fails here.
func (h *Host) Silence() error { return problem }

// Unsilence fails here.
func (h *Host) Unsilence() error { return problem }

// Isolate fails here.
func (h *Host) Isolate() error { return problem }

// Unisolate fails here.
func (h *Host) Unisolate() error { return problem }
