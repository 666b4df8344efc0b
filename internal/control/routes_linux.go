package control

import "github.com/tandem-lb/tandem/internal/api"

// routes are the rules in effect, for whoever asks which one a request meets.
func (p *Process) routes() []api.Routes {
	all := []api.Routes{}
	for _, r := range p.now.Load().Routes {
		all = append(all, api.Routes(r))
	}
	return all
}
