package route

// oddity is something in a path that servers read in different ways, as bits.
type oddity uint8

const (
	oddSlash  oddity = 1 << iota // "%2F" or "\"
	oddDouble                    // "%25" before two hexadecimal digits
	oddEarly                     // ";" with one of the two above: what follows is dropped before they are decoded
	oddParam                     // ";"
	oddMerge                     // "//"
	oddities
)

// literal appends the path with every escape decoded but %2F and %25, and says what is odd
// about it. What is no escape stays as it is. dots says that a segment may be "." or "..".
func literal(dst, path []byte) (out []byte, odd oddity, dots bool) {
	start := true // of a segment
	for i := 0; i < len(path); {
		c, n := unescape(path[i:])
		kept := n == 3 && (c == '/' || c == '%')
		switch {
		case kept && c == '/':
			odd |= oddSlash
			dst = append(dst, "%2F"...)
		case kept:
			dst = append(dst, "%25"...)
			if i+4 < len(path) && isHex(path[i+3]) && isHex(path[i+4]) {
				odd |= oddDouble
			}
		default:
			dst = append(dst, c)
			switch {
			case c == '\\':
				odd |= oddSlash
			case c == ';':
				odd |= oddParam
			case c == '/' && start && i > 0:
				odd |= oddMerge
			case c == '.' && start:
				dots = true
			}
		}
		start = c == '/' && !kept
		i += n
	}
	if odd&oddDouble != 0 {
		odd |= oddSlash | oddParam // which it may decode to
	}
	if odd&oddParam != 0 && odd&oddSlash != 0 {
		odd |= oddEarly
	}
	if odd&(oddSlash|oddDouble|oddParam) != 0 {
		odd |= oddMerge // what is decoded or dropped may leave several slashes
		dots = true
	}
	return dst, odd, dots
}

// unescape returns the first byte of p, decoded, and how many bytes stand for it.
func unescape(p []byte) (c byte, n int) {
	if p[0] == '%' && len(p) > 2 && isHex(p[1]) && isHex(p[2]) {
		return unhex(p[1])<<4 | unhex(p[2]), 3
	}
	return p[0], 1
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	default:
		return c&^0x20 - 'A' + 10
	}
}

// read appends a literal path as a server reads it that heeds the oddities in how. tmp is
// scratch.
func read(dst, tmp, path []byte, how oddity) (out, scratch []byte) {
	dst = append(dst, path...)
	if how&oddEarly != 0 {
		dst = dropParams(dst)
	}
	if how&oddDouble != 0 {
		tmp = append(tmp[:0], dst...)
		dst = decodeTwice(dst[:0], tmp)
	}
	if how&oddSlash != 0 {
		dst = decodeSlashes(dst)
	}
	if how&oddParam != 0 {
		dst = dropParams(dst)
	}
	if how&oddMerge != 0 {
		dst = mergeSlashes(dst)
	}
	return dst, tmp
}

// decodeTwice decodes "%25" before two hexadecimal digits, with these.
func decodeTwice(dst, path []byte) []byte {
	for i := 0; i < len(path); i++ {
		if i+4 < len(path) && path[i] == '%' && path[i+1] == '2' && path[i+2] == '5' && isHex(path[i+3]) && isHex(path[i+4]) {
			c := unhex(path[i+3])<<4 | unhex(path[i+4])
			if i += 4; c == '/' {
				dst = append(dst, "%2F"...)
			} else {
				dst = append(dst, c)
			}
			continue
		}
		dst = append(dst, path[i])
	}
	return dst
}

func decodeSlashes(path []byte) []byte {
	out := path[:0]
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\':
			out = append(out, '/')
		case path[i] == '%' && i+2 < len(path) && path[i+1] == '2' && path[i+2] == 'F':
			out = append(out, '/')
			i += 2
		default:
			out = append(out, path[i])
		}
	}
	return out
}

func dropParams(path []byte) []byte {
	out, drop := path[:0], false
	for _, c := range path {
		switch {
		case c == '/':
			drop = false
		case c == ';':
			drop = true
		}
		if !drop {
			out = append(out, c)
		}
	}
	return out
}

func mergeSlashes(path []byte) []byte {
	out := path[:0]
	for _, c := range path {
		if c == '/' && len(out) > 0 && out[len(out)-1] == '/' {
			continue
		}
		out = append(out, c)
	}
	return out
}

// dotted says whether a segment of the path is "." or "..".
func dotted(path []byte) bool {
	for i := 0; i < len(path); i++ {
		if path[i] != '.' || i > 0 && path[i-1] != '/' {
			continue
		}
		rest := path[i+1:]
		if len(rest) > 0 && rest[0] == '.' {
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0] == '/' {
			return true
		}
	}
	return false
}
