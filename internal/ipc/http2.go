package ipc

// HTTP2State counts what clients of one frontend do by HTTP/2.
type HTTP2State struct {
	Connections uint64            `json:"connections"`
	Current     int64             `json:"current"` // of them, open now
	Streams     uint64            `json:"streams"`
	Resets      map[string]uint64 `json:"resets"`  // by client, us; refused are of ours, beyond max_concurrent_streams
	GoAways     map[string]uint64 `json:"goaways"` // by reason
}
