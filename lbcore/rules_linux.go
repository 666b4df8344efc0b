package lbcore

import (
	"bytes"
	"cmp"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// setView makes v rule the exchange, with v's own pool and headers until a rule says more.
func (x *exchange) setView(v *frontendView) {
	x.view, x.to, x.set, x.act = v, v.pool, v.set, nil
}

// meet finds the rule that the request in x.req meets, and does what it says. in is what came
// behind the head. It reports whether the request is answered by that; else it goes to x.to.
func (x *exchange) meet(in []byte) (answered bool) {
	rs, w := x.view.rules, x.w
	r := route.Request{Method: x.req.Method, Host: x.req.Host, Path: x.req.Path(), Query: query(x.req.Target), Fields: &x.req, Source: x.source}
	i, ok := rs.table.Match(&r, &w.routing)
	switch {
	case !ok:
		x.c.count().badRequest.Add(1)
		x.rec.close('P', 'R', "ambiguous_path")
		x.answerAhead(in, 400)
		return true
	case i < 0 && x.view.cfg.Pool == "":
		x.c.count().noRule.Add(1)
		x.rec.close('L', 'R', "no_rule")
		x.answerAhead(in, 404)
		return true
	case i < 0:
		return !x.boundBody(x.view.cfg.Limits.Body)
	}
	a := &rs.acts[i]
	(*a.count)[w.slot].requests.Add(1)
	x.act, x.set = a, a.response
	if a.rate.On() && x.tooMany(x.view.guard, a.rate, a.of, in) {
		(*a.count)[w.slot].limited.Add(1)
		return true
	}
	if a.Pool != "" {
		x.to = a.pool
	}
	if !x.boundBody(cmp.Or(a.BodyLimit, x.view.cfg.Limits.Body)) {
		return true
	}
	if a.Redirect != "" || a.Status != 0 {
		defer x.rec.close('L', 'R', "") // unless it is refused
	}
	switch {
	case a.Redirect != "":
		w.target, ok = rs.table.AppendLocation(w.target[:0], i, &r, &w.routing)
		x.answerMoved(in, ok)
		return true
	case a.Status != 0:
		x.answerFixed(in)
		return true
	case x.to == nil && a.Pool == "" && x.view.cfg.Pool == "":
		x.c.count().noRule.Add(1)
		x.rec.close('L', 'R', "no_rule")
		x.answerAhead(in, 404)
		return true
	}
	w.target = w.target[:0]
	if !rs.table.Rewrites(i) || r.Path[0] != '/' {
		return false
	}
	if w.target, ok = rs.table.AppendPath(w.target, i, &r, &w.routing); !ok {
		x.c.count().badRequest.Add(1)
		x.rec.close('P', 'R', "ambiguous_path")
		x.answerAhead(in, 400)
		return true
	}
	w.target = append(w.target, r.Query...)
	return false
}

// boundBody sets how large the request's body may be, now that its rule is known. It reports
// false if it is larger, which was answered.
func (x *exchange) boundBody(most int64) bool {
	if most == x.view.limits.Body { // which it was read with
		return true
	}
	x.reqBody.Reset(x.req.Body, most, false)
	if x.req.Body.Kind != http1.Length || x.req.Body.Length <= most {
		return true
	}
	x.c.count().refuse(413)
	x.rec.close('P', 'R', "body-too-large")
	x.answer(413)
	return false
}

// query returns what of a target begins with its first question mark.
func query(target []byte) []byte {
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		return target[i:]
	}
	return nil
}

// takeAhead drops what in holds of the request's body, before an answer of our own. It reports
// false if that was refused, with an answer. x.req must not be used after it.
func (x *exchange) takeAhead(in []byte) bool {
	_, rest, err := x.takeBody(x.w.wbuf[:0], in)
	x.keepRest(rest)
	if err != nil {
		x.refused(err)
		x.answer(err.Status)
	}
	return err == nil
}

// answerAhead answers with a status before the request was sent on.
func (x *exchange) answerAhead(in []byte, status int) {
	if x.takeAhead(in) {
		x.answer(status)
	}
}

// answerMoved redirects to w.target; ok is false where there is no such place.
func (x *exchange) answerMoved(in []byte, ok bool) {
	switch {
	case !ok:
		x.c.count().badRequest.Add(1)
		x.rec.close('P', 'R', "no_host")
		x.answerAhead(in, 400)
	case x.takeAhead(in):
		status := x.act.Status
		if status == 0 {
			status = 302
		}
		x.answerWith(&http1.Answer{Status: status, Location: x.w.target})
	}
}

// answerFixed answers as the rule says.
func (x *exchange) answerFixed(in []byte) {
	switch {
	case !x.takeAhead(in):
	case x.act.Body == "":
		x.answer(x.act.Status)
	default:
		x.answerWith(&http1.Answer{Status: x.act.Status, Type: x.act.kind, Body: x.act.body})
	}
}

// answerWith makes a the whole answer.
func (x *exchange) answerWith(a *http1.Answer) {
	x.keep = x.reqDone && x.mayKeep()
	x.started, x.respDone = true, true
	x.rec.status = a.Status
	x.c.count().responses[a.Status/100].Add(1)
	a.CloseConn, a.HeadOnly, a.Set = !x.keep, x.headOnly, x.set
	x.out = http1.AppendAnswer(x.w.get(len(a.Location)+len(a.Body)+smallBuffer), a)
	x.taken = 0
}
