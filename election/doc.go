// Package election decides which node holds a VIP. It is pure: no clock, goroutine, socket, logger or global.
package election
