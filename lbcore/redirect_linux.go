package lbcore

import "github.com/tandem-lb/tandem/lbcore/internal/http1"

// redirect answers the request in x.req by itself: the same is to be had over TLS. in
// is what came behind its head.
func (x *exchange) redirect(port int, in []byte) {
	_, rest, err := x.takeBody(x.w.wbuf[:0], in)
	if err != nil {
		x.keepRest(rest)
		x.refused(err)
		x.answer(err.Status)
		return
	}
	x.unparsed = len(rest) > 0
	x.keep = x.reqDone && x.mayKeep()
	x.rec.status = 308
	if x.headOnly || string(x.req.Method) == "GET" {
		x.rec.status = 301
	}
	room := x.w.get(len(x.req.Host) + len(x.req.Target) + smallBuffer/2)
	out, ok := http1.AppendRedirect(room, &x.req, port, !x.keep, x.set)
	x.keepRest(rest) // which x.req lies beside
	if !ok {
		x.w.put(room)
		x.rec.close('P', 'R', "no_host")
		x.answer(400)
		return
	}
	x.started, x.respDone = true, true
	x.rec.close('L', 'R', "")
	x.c.count().responses[3].Add(1)
	x.out, x.taken = out, 0
}
