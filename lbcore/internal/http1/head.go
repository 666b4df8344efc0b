package http1

// What head.state says of the byte at head.at. The scan never goes back, so a head may come in pieces of any size.
const (
	stateStart   = iota // before the message: one empty line may be skipped here
	stateMethod         // requests
	stateTarget         // requests
	stateVersion        // requests
	stateReason         // responses
	stateField          // at the start of a field line or of the empty line
	stateName
	stateValue
	stateEnd // head complete or refused: the next call starts anew
)

// A field is one field line, as places in head.buf.
type field struct {
	name, nameEnd, value, valueEnd uint16
	id                             fieldID
	named                          bool // Connection names it: not forwarded
	plain                          bool // the line is name, colon, one space, value, CRLF and may be copied as it is
}

// head is what requests and responses share: the fields and the state of the scan.
type head struct {
	buf    []byte // the bytes seen so far, at least up to at
	fields []field
	at     int // next byte to look at
	line   int // start of the line it is in
	mark   int // end of the method, then of the target, then of a field's name
	state  int

	response bool // field rules differ a little: see addField

	seen  fieldSet         // IDs met
	place [fieldIDs]uint16 // index in fields of the last with that ID, if seen

	close, keepAlive, upgrade bool // connection options
}

// usualFields is the number of fields that a new head has room for.
const usualFields = 32

func (h *head) reset() {
	if h.fields == nil {
		h.fields = make([]field, 0, usualFields)
	}
	*h = head{fields: h.fields[:0]}
}

// NumFields is the number of field lines, those included that will not be forwarded.
func (h *head) NumFields() int { return len(h.fields) }

// Field returns the i-th field line: the name as it was written, the value without surrounding white space.
func (h *head) Field(i int) (name, value []byte) {
	f := &h.fields[i]
	return h.buf[f.name:f.nameEnd], h.buf[f.value:f.valueEnd]
}

// Get returns the value of the first field of that name, or nil; lower must be in lower case.
func (h *head) Get(lower string) []byte {
	for i := range h.fields {
		if name, value := h.Field(i); equalFold(name, lower) {
			return value
		}
	}
	return nil
}

// last returns the value of the last field with that ID, which must have been seen.
func (h *head) last(id fieldID) []byte {
	_, v := h.Field(int(h.place[id]))
	return v
}

// startLine returns as much of the buffer as the first line may take, and whether it is all that it may take.
func (h *head) startLine(lim Limits) (line []byte, full bool) {
	most := min(h.line+lim.Line+len("\r\n"), lim.Head)
	n := min(len(h.buf), most)
	return h.buf[:n], n == most
}

// scanFields goes on reading field lines (RFC 9112, 5) from where it stopped, and reports whether the empty
// line was reached.
func (h *head) scanFields(lim Limits) (done bool, c code) {
	if done, c = h.fieldLines(h.buf, lim.Fields); !done && c == ok && len(h.buf) == lim.Head {
		c = largeHead
	}
	return done, c
}

func (h *head) fieldLines(b []byte, maxFields int) (done bool, c code) {
	for {
		switch h.state {
		case stateField:
			if h.at == len(b) {
				return false, ok
			}
			switch b[h.at] {
			case '\r':
				if h.at+1 == len(b) {
					return false, ok
				}
				if b[h.at+1] != '\n' {
					return false, bareCR
				}
				h.at += 2
				return true, ok
			case ' ', '\t':
				return false, obsFold // RFC 9112, 5.2
			}
			if len(h.fields) >= maxFields {
				return false, manyFields
			}
			h.line, h.state = h.at, stateName

		case stateName:
			i := h.at
			for i < len(b) && class[b[i]]&isToken != 0 {
				i++
			}
			h.at = i
			if i == len(b) {
				return false, ok
			}
			if b[i] != ':' {
				return false, nameError(b[i])
			}
			if i == h.line {
				return false, emptyName
			}
			h.mark, h.at, h.state = i, i+1, stateValue

		case stateValue:
			h.at = skipText(b, h.at)
			end, c := lineEnd(b, h.at)
			if !end {
				return false, c
			}
			if c := h.addField(b, h.at); c != ok {
				return false, c
			}
			h.at, h.state = h.at+2, stateField
		}
	}
}

// lineEnd looks for CRLF at b[i], where text has ended: (false, ok) means that more bytes are needed.
func lineEnd(b []byte, i int) (end bool, c code) {
	switch {
	case i == len(b):
		return false, ok
	case b[i] == '\n':
		return false, bareLF
	case b[i] != '\r':
		return false, controlByte
	case i+1 == len(b):
		return false, ok
	case b[i+1] != '\n':
		return false, bareCR
	}
	return true, ok
}

// nameError says why c cannot stand in a field's name (RFC 9112, 5.1).
func nameError(c byte) code {
	switch {
	case c == ' ' || c == '\t':
		return spaceBeforeColon
	case c == '\r':
		return bareCR
	case c == '\n':
		return bareLF
	case c < 0x20 || c == 0x7f:
		return controlByte
	}
	return badName
}

// addField keeps the field line that ends before the CRLF at b[cr].
func (h *head) addField(b []byte, cr int) code {
	id, alias := lookup(b[h.line:h.mark])
	if alias && !h.response {
		return lookalikeName
	}
	if alias {
		id = fieldOther
	}
	if id != fieldOther {
		if h.seen.has(id) && (once.has(id) || !h.response && onceAsked.has(id)) {
			return twice(id)
		}
		h.seen |= 1 << id
		h.place[id] = uint16(len(h.fields))
	}
	start, end := h.mark+1, cr
	for start < end && (b[start] == ' ' || b[start] == '\t') {
		start++
	}
	for start < end && (b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	h.fields = append(h.fields, field{
		name: uint16(h.line), nameEnd: uint16(h.mark), value: uint16(start), valueEnd: uint16(end),
		id: id, plain: start == h.mark+2 && b[h.mark+1] == ' ' && end == cr,
	})
	return ok
}

func twice(id fieldID) code {
	switch id {
	case fieldHost:
		return hostTwice
	case fieldContentLength:
		return clTwice
	case fieldTransferEncoding:
		return teTwice
	}
	return otherExpect
}
