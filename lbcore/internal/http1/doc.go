// Package http1 is the strict, sans-I/O HTTP/1.1 codec of lbcore.
package http1
