package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// pageParam is the one parameter of a link to a further page.
const pageParam = "_page"

// handleLife is how long a page or export link can be followed.
const handleLife = 24 * time.Hour

// place is where a listing goes on: what the handle of a page link holds.
type place struct {
	Interaction rest.Interaction `json:"i"`
	Type        string           `json:"t,omitempty"`
	ID          string           `json:"d,omitempty"`
	Operation   string           `json:"o,omitempty"`
	Compartment fhir.Reference   `json:"c,omitzero"`
	Query       []rest.Param     `json:"q,omitempty"`
	// Next is the upstream page to go on with, "" for the first one; Skip is
	// how many of its entries were given.
	Next string `json:"n,omitempty"`
	Skip int    `json:"s,omitempty"`
	// Total is what the first page said.
	Total *int `json:"a,omitempty"`
	// Expires is in seconds since 1970.
	Expires int64 `json:"e"`
}

// request gives the interaction that is gone on with. It is judged anew.
func (p place) request() rest.Request {
	return rest.Request{
		Interaction: p.Interaction, Type: p.Type, ID: p.ID, Operation: p.Operation,
		Compartment: p.Compartment, Query: p.Query,
	}
}

// resume answers a page link: the grant's own, and nothing beside it.
func (a *act) resume() (answer, error) {
	if len(a.req.Query) != 1 || a.req.Interaction != rest.SearchType {
		return answer{}, errs.New(errs.Invalid, "page-link", "A page link is followed as it was given.")
	}
	var p place
	if err := a.x.open("page", a.req.Query[0].Raw, &p); err != nil {
		return answer{}, err
	}
	if a.x.g.d.Clock.Now().Unix() >= p.Expires {
		return answer{}, errs.New(errs.Gone, "page-expired", "The page link has expired; search again.")
	}
	a.req = p.request()
	d, err := a.permit()
	if err != nil {
		return answer{}, err
	}
	switch {
	case fhirapi.Owns(a.req.Type):
		return a.owned(d, p)
	case a.req.Interaction == rest.HistoryInstance:
		return a.history(p)
	case a.req.Interaction == rest.Operation:
		return a.everything(p)
	}
	return a.list(d, p)
}

// pageLink gives the address of a further page.
func (a *act) pageLink(p place) (string, error) {
	r := a.req
	p.Interaction, p.Type, p.ID, p.Operation = r.Interaction, r.Type, r.ID, r.Operation
	p.Compartment, p.Query = r.Compartment, r.Query
	p.Expires = a.x.g.d.Clock.Now().Add(handleLife).Unix()
	handle, err := a.x.seal("page", p)
	if err != nil {
		return "", err
	}
	typ := p.Type
	if typ == rest.AnyType {
		typ = p.Compartment.Type
	}
	return a.x.g.d.Base + "/" + typ + "?" + pageParam + "=" + handle, nil
}

// selfLink gives the address of the request as it was understood.
func (a *act) selfLink() string {
	method, address, _, body := a.req.Upstream()
	if method == "POST" {
		// A long search is posted upstream; its link is not.
		address = address[:len(address)-len("/_search")] + "?" + string(body)
	}
	return a.x.g.d.Base + address
}

// seal encrypts a value for the holder of the grant: the text tells nothing
// of the upstream, and no other grant can use it (SMART TRP-07).
func (x *exchange) seal(purpose string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "page-link", "A link could not be made.")
	}
	hasher := x.g.d.Hasher.At(time.Time{})
	box, err := box(hasher, purpose)
	if err != nil {
		return "", err
	}
	nonce := x.g.d.IDs.Bytes(box.NonceSize())
	sealed := box.Seal(nonce, nonce, plain, []byte(x.g.d.Tenant+" "+x.holder()))
	return hasher.Mark() + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// open is the reverse of seal. Errors: errs.Forbidden for a handle that was
// made for somebody else, changed or made up.
func (x *exchange) open(purpose, handle string, v any) error {
	refused := errs.New(errs.Forbidden, "link-not-yours", "The link was not given to this app for this grant.")
	hasher := x.g.d.Hasher.Of(handle)
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(handle, hasher.Mark()))
	if err != nil {
		return refused
	}
	box, err := box(hasher, purpose)
	if err != nil {
		return err
	}
	if len(sealed) < box.NonceSize() {
		return refused
	}
	plain, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], []byte(x.g.d.Tenant+" "+x.holder()))
	if err != nil || json.Unmarshal(plain, v) != nil {
		return refused
	}
	return nil
}

func box(h ids.Hasher, purpose string) (cipher.AEAD, error) {
	block, err := aes.NewCipher(h.Sum("gateway-link", purpose))
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "page-link", "A link could not be made.")
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "page-link", "A link could not be made.")
	}
	return box, nil
}

// localQuery makes references to our own base in search values relative.
func localQuery(query []rest.Param, base string) {
	for i := range query {
		for j, v := range query[i].Values {
			if rest, ok := cutBase(v, base); ok {
				query[i].Values[j] = rest
			}
		}
	}
}

func cutBase(v, base string) (string, bool) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || len(v) <= len(base)+1 || v[:len(base)+1] != base+"/" {
		return "", false
	}
	ref, ok := fhir.ParseReference(v[len(base)+1:])
	return ref.String(), ok
}
