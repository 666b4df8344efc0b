package webapp

import (
	"io"
	"net"
	"net/http"
	"time"
)

// echoProtocol is what /echo upgrades to (RFC 9110, 7.8): a stand-in for
// WebSocket, whose frames matter to no balancer.
const echoProtocol = "echo"

// echo sends back what it receives until the client has sent its last byte, or
// the app stops.
func (a *app) echo(w http.ResponseWriter, r *http.Request, _ Answer) {
	if r.Header.Get("Upgrade") != echoProtocol {
		w.Header().Set("Upgrade", echoProtocol)
		w.Header().Set("Connection", "Upgrade")
		http.Error(w, "ask with Connection: Upgrade and Upgrade: "+echoProtocol, http.StatusUpgradeRequired)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-a.stopping:
			_ = conn.SetReadDeadline(time.Now())
		case <-ended:
		}
	}()
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + echoProtocol + "\r\n"
	for name, values := range w.Header() {
		head += name + ": " + values[0] + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return
	}
	_, _ = io.Copy(conn, buffered.Reader) // an error means that the client has gone, or that the app stops
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}
