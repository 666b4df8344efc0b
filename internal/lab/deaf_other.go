//go:build !linux

package lab

// Deafen fails here.
func (h *Host) Deafen() error { return problem }

// Undeafen fails here.
func (h *Host) Undeafen() error { return problem }
