package api

// HTTP2 counts what clients of one frontend do by HTTP/2, since the proxy that serves was started.
type HTTP2 struct {
	Connections uint64            `json:"connections"`
	Current     int64             `json:"current"` // of them, open now
	Streams     uint64            `json:"streams"` // requests
	Resets      map[string]uint64 `json:"resets"`  // streams given up: client, refused (beyond max_concurrent_streams), own
	GoAways     map[string]uint64 `json:"goaways"` // connections ended: leaving, protocol, flood_resets, flood_frames, flood_headers
}
