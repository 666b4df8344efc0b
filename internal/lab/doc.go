// Package lab builds whole networks out of Linux namespaces, from Go with netlink only, as root or as an ordinary user.
package lab
