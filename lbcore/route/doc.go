// Package route decides which of a frontend's rules a request meets, and what becomes of its
// target. It is pure: no clock, socket, goroutine or global, and [Table.Match] allocates
// nothing.
//
// Rules stand in an order, and the first one that fits decides. What a rule does not name,
// fits anything; of several hosts, methods or paths one must fit, and of several headers all:
//
//	t, err := route.Compile([]route.Rule{{Name: "api", Prefixes: []string{"/api"}, Pool: "api"}})
//	i, ok := t.Match(&req, &scratch) // i < 0: no rule fits; !ok: answer 400
//
// # How a path is read
//
// A rule must not be got round by another spelling of a path, and servers do not agree how
// one is read. So a path is compared decoded: every escape is, but %2F and %25. If it holds
// something that servers read in different ways, it is compared once for each of these ways
// and their combinations, and refused unless the same rule fits each time:
//
//   - %2F is a slash, or a part of a name; so is a backslash (%5C);
//   - what is behind ";" up to the next slash belongs to the name, or is dropped, before
//     escapes are decoded or after it;
//   - several slashes are what they are, or one;
//   - an escaped escape, such as %252F, is decoded once, or twice.
//
// Segments that are "." or ".." under any of these readings are refused in any case: clients
// resolve them (RFC 3986, 5.2.4), so that nobody sends them but to get round something. None
// of this is done where no rule looks at paths.
//
// Paths are compared byte by byte, upper case is not lower case, and a query is never looked
// at. Hosts are compared in lower case, without port and final dot.
//
// What goes on to a backend is what the client sent. Only a rule that rewrites the path
// changes it, and then only the part that it replaces; a path made by groups of a regular
// expression is escaped anew.
package route
