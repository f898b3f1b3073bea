package staff

import (
	"context"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
)

// turns lists what staff can do about an access that runs because of a legal paper.
func turns(c proxy.Case) []string {
	var out []string
	if c.Authority.Trigger == proxy.TriggerCapacity {
		out = append(out, "restore")
	}
	if c.Basis == proxy.BasisRepresentative {
		out = append(out, "review")
		if c.Disputed.Zero() {
			out = append(out, "dispute")
		} else {
			out = append(out, "settle")
		}
	}
	if !c.Ward.Adult.IsZero() {
		out = append(out, "free")
	}
	return out
}

// turnDeeds are what an answer of yes does about them.
func (h *Handler) turnDeeds() map[string]deed {
	return map[string]deed{
		"vouch": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			_, err := h.Life.Vouch(ctx, a, id, r.PostFormValue("reason"))
			return err
		},
		"free": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			_, err := h.Life.Free(ctx, a, id, r.PostFormValue("reason"))
			return err
		},
		"review": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			until, err := h.day(r, "review")
			if err == nil {
				_, err = h.Life.Review(ctx, a, id, until)
			}
			return err
		},
		"dispute": func(ctx context.Context, a lifecycle.Actor, id string, _ *http.Request) error {
			_, err := h.Life.Dispute(ctx, a, id)
			return err
		},
		"settle": func(ctx context.Context, a lifecycle.Actor, id string, _ *http.Request) error {
			_, err := h.Life.Settle(ctx, a, id)
			return err
		},
	}
}

// powers are the powers of an instrument, to be ticked.
func (h *Handler) powers(r *http.Request) pages.ActField {
	f := pages.ActField{Name: "powers", Kind: "ticks"}
	for _, p := range proxy.Powers() {
		f.Options = append(f.Options, pages.Option{
			Value: p, Label: h.Kit.Words().T(h.Kit.Lang(r), "power."+p, nil), Selected: slices.Contains(r.PostForm["powers"], p),
		})
	}
	return f
}
