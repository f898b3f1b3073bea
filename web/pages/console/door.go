package console

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Door is what lets people in to the pages of one subject.
type Door struct {
	Kit     *pages.Kit
	Session *session.Manager
	Page    func(http.ResponseWriter, *http.Request, error)
	Clock   clock.Clock
}

// Sign is what stands on a door: who owns the pages behind it, and what is told
// to those who may not enter.
type Sign struct {
	Owner   string
	Refusal *errs.Error
}

// May reports whether an account may see a page; errors are errs.Forbidden,
// errs.Unavailable.
type May func(ctx context.Context, p identity.Person) error

// Serve answers a request of somebody who was let in.
type Serve func(http.ResponseWriter, *http.Request, session.Identity) error

// Route declares a page behind the door.
func (d Door) Route(sign Sign, method, path string, may May, serve Serve) route.Route {
	return route.Route{
		Method: method, Path: path, Auth: route.Session, PHI: route.NoPHI, Limit: "page", Owner: sign.Owner,
		Handler: d.Session.Protect(d.Session.Load(d.Session.Oneself(d.admins(sign, d.Session.For(identity.ActConsole)(d.guarded(sign, may, serve)))))),
	}
}

// Tasks gives the links of the console's start page for an account.
type Tasks func(p identity.Person) []pages.StaffTask

// Task gives the link to the pages at a path.
func (d Door) Task(key, path string) Tasks {
	return func(p identity.Person) []pages.StaffTask {
		if p.Role != identity.RoleAdmin {
			return nil
		}
		return []pages.StaffTask{{Key: key, URL: d.Session.Path(path)}}
	}
}

// Frame gives the parts that all pages share.
func (d Door) Frame(r *http.Request, id session.Identity, back string) pages.Frame {
	return pages.Frame{
		Lang: d.Kit.Lang(r), SignedInAs: id.Person.Name, CSRF: d.Session.Token(r, session.PurposePage),
		BackURL: d.Session.Path(back), Now: d.Clock.Now(), Staff: true,
		SessionEnds: id.Session.IdleEnds, StayURL: d.Session.Path(pages.StayPath),
	}
}

// admins turns others away before they are asked for a second factor.
func (d Door) admins(sign Sign, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, in := session.From(r); in && id.Person.Role != identity.RoleAdmin {
			d.Page(w, r, sign.Refusal)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guarded lets those through who may; Require ran before it.
func (d Door) guarded(sign Sign, may May, serve Serve) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := session.From(r)
		err := may(r.Context(), id.Person)
		if errs.Is(err, errs.Forbidden) {
			err = errs.Wrap(err, errs.Forbidden, sign.Refusal.Code, sign.Refusal.Msg)
		}
		if err == nil {
			err = serve(w, r, id)
		}
		if err != nil {
			d.Page(w, r, err)
		}
	})
}
