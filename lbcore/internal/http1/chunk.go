package http1

// States of chunkReader: what the next byte must be (RFC 9112, 7.1).
const (
	chunkSize    = iota // hex digits of the size
	chunkBWS            // white space before ";"
	chunkExt            // extensions, ignored
	chunkSizeLF         // LF of the size line
	chunkData           // content: not for step
	chunkCR             // CRLF behind the content
	chunkLF             //
	trailerStart        // a trailer line or the empty line
	trailerName         //
	trailerValue        //
	trailerLF           //
	chunkLastLF         // LF of the empty line
	chunkDone           //
)

// A chunkReader reads what stands between the contents of a chunked body, byte by byte.
type chunkReader struct {
	state   uint8
	digits  uint8  // of the size
	limit   int64  // bytes of content in all, 0: no limit
	size    uint64 // of the chunk
	total   uint64 // of this and all earlier chunks; fewer than 2^63
	skipped int    // bytes of this chunk's extensions, or of the trailer section

	keep    bool   // the trailer section is kept
	trailer []byte // its field lines so far
	line    int    // where the last of them starts
}

// step takes one byte of framing.
func (r *chunkReader) step(c byte) code {
	switch r.state {
	case chunkSize:
		return r.sizeByte(c)
	case chunkBWS, chunkExt:
		return r.extensionByte(c)
	case chunkSizeLF:
		if c != '\n' {
			return bareCR
		}
		r.digits, r.skipped = 0, 0
		r.state = chunkData
		if r.size == 0 {
			r.state = trailerStart
		}
	case chunkCR:
		if c != '\r' {
			return badChunkEnd
		}
		r.state = chunkLF
	case chunkLF:
		if c != '\n' {
			return badChunkEnd
		}
		r.state, r.size = chunkSize, 0
	default:
		return r.trailerByte(c)
	}
	return ok
}

func (r *chunkReader) sizeByte(c byte) code {
	switch {
	case class[c]&isHex != 0:
		if r.digits == 16 {
			return chunkOverflow
		}
		r.digits++
		r.size = r.size<<4 | uint64(hexValue(c))
		return ok
	case r.digits == 0:
		return badChunkSize
	}
	next := chunkBWS
	switch c {
	case '\r':
		next = chunkSizeLF
	case ';':
		next = chunkExt
	case ' ', '\t':
	case '\n':
		return bareLF
	default:
		return badChunkSize
	}
	if c := r.count(); c != ok {
		return c
	}
	r.state = uint8(next)
	return ok
}

// count adds the size, now complete, to the total.
func (r *chunkReader) count() code {
	if r.size > 1<<63-1-r.total {
		return chunkOverflow
	}
	if r.limit > 0 && r.total+r.size > uint64(r.limit) {
		return largeBody
	}
	r.total += r.size
	return ok
}

func (r *chunkReader) extensionByte(c byte) code {
	r.skipped++
	switch {
	case r.skipped > maxChunkExt:
		return longChunkExt
	case r.state == chunkBWS && c == ';':
		r.state = chunkExt
	case r.state == chunkBWS && c != ' ' && c != '\t':
		return badChunkSize
	case c == '\r':
		r.state = chunkSizeLF
	case c == '\n':
		return bareLF
	case c < 0x20 && c != '\t' || c == 0x7f:
		return badChunkExt
	}
	return ok
}

// trailerByte reads the trailer section (RFC 9112, 7.1.2), which is dropped unless it is asked for, as strictly as the
// fields of a head.
func (r *chunkReader) trailerByte(c byte) code {
	r.skipped++
	if r.skipped > maxTrailer {
		return longTrailer
	}
	if code := r.trailerStep(c); code != ok || !r.keep || r.state == chunkLastLF || r.state == chunkDone {
		return code
	}
	r.trailer = append(r.trailer, c)
	if r.state == trailerStart {
		r.keepLine()
	}
	return ok
}

func (r *chunkReader) trailerStep(c byte) code {
	switch r.state {
	case trailerStart:
		switch {
		case c == '\r':
			r.state = chunkLastLF
		case class[c]&isToken == 0:
			return badTrailer
		default:
			r.state = trailerName
		}
	case trailerName:
		switch {
		case c == ':':
			r.state = trailerValue
		case class[c]&isToken == 0:
			return badTrailer
		}
	case trailerValue:
		switch {
		case c == '\r':
			r.state = trailerLF
		case c < 0x20 && c != '\t' || c == 0x7f:
			return badTrailer
		}
	case trailerLF, chunkLastLF:
		if c != '\n' {
			return bareCR
		}
		if r.state == trailerLF {
			r.state = trailerStart
		} else {
			r.state = chunkDone
		}
	}
	return ok
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
