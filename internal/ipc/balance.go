package ipc

// Hash is what the policy "hash" goes by.
type Hash struct {
	On            string `json:"on"`
	Header        string `json:"header,omitempty"`
	BalanceFactor int    `json:"balance_factor,omitempty"` // percent; 0: no bound
}
