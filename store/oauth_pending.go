package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// PutPending implements oauth.TokenStore. A request that was answered stays
// answered, whatever the given value says.
func (p *ports) PutPending(ctx context.Context, v oauth.Pending) error {
	args, err := p.pendingRow(ctx, v)
	if err != nil {
		return err
	}
	return p.write(ctx, `INSERT INTO pending
		(tenant, id, browser, request, context, launch_user, session_hash, person_id, capacity, created, expires, done, packed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (tenant, id) DO UPDATE SET browser = excluded.browser, request = excluded.request,
			context = excluded.context, launch_user = excluded.launch_user, session_hash = excluded.session_hash,
			person_id = excluded.person_id, capacity = excluded.capacity, created = excluded.created, packed = excluded.packed,
			expires = excluded.expires, done = CASE WHEN pending.done <> 0 THEN pending.done ELSE excluded.done END`, args...)
}

// pendingRow gives the values of a row: everything packed, or in columns as long
// as a node runs that reads only those.
func (p *ports) pendingRow(ctx context.Context, v oauth.Pending) ([]any, error) {
	if p.newest.Load() {
		plain, err := packPending(v)
		if err != nil {
			return nil, err
		}
		packed, err := p.seal(ctx, pendingPlace(v, "packed"), plain)
		return []any{v.Tenant, v.ID, "", "", "", "", "", "", "", micros(v.Created), micros(v.Expires), micros(v.Done), packed}, err
	}
	request, err := p.sealDoc(ctx, pendingPlace(v, "request"), v.Request)
	if err != nil {
		return nil, err
	}
	launch, err := p.sealDoc(ctx, pendingPlace(v, "context"), v.Context)
	return []any{v.Tenant, v.ID, v.Browser, request, launch, v.LaunchUser.String(), v.SessionHash, v.PersonID,
		doc(v.Capacity), micros(v.Created), micros(v.Expires), micros(v.Done), []byte{}}, err
}

// carriedEnd stands between the id of a request and its sealed part in the name
// of one that is carried.
const carriedEnd = "."

// carriedMost is the longest name, in bytes: it stands in addresses, of which some
// proxies take no more than 2,000.
const carriedMost = 1024

// CarryPending implements oauth.TokenStore. A long request is stored.
func (p *ports) CarryPending(ctx context.Context, v oauth.Pending) (string, error) {
	if !p.newest.Load() {
		return "", nil
	}
	packed, err := packPending(v)
	if err != nil {
		return "", err
	}
	plain := binary.AppendVarint(make([]byte, 0, len(packed)+2*binary.MaxVarintLen64), micros(v.Created))
	sealed, err := p.seal(ctx, pendingPlace(v, "carried"), append(binary.AppendVarint(plain, micros(v.Expires)), packed...))
	name := v.ID + carriedEnd + base64.RawURLEncoding.EncodeToString(sealed)
	if err != nil || len(name) > carriedMost {
		return "", err
	}
	return name, nil
}

// openCarried reads the sealed part of a name. What cannot be read is not found:
// anybody can make up a name.
func (p *ports) openCarried(ctx context.Context, tenant, id, part string) (oauth.Pending, error) {
	v := oauth.Pending{Tenant: tenant, ID: id, Carried: id + carriedEnd + part}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || len(sealed) == 0 {
		return oauth.Pending{}, notFound("pending")
	}
	plain, err := p.open(ctx, pendingPlace(v, "carried"), sealed)
	if errs.Is(err, errs.Unavailable) {
		return oauth.Pending{}, err
	}
	r := shortReader{b: plain}
	v.Created, v.Expires = fromMicros(r.signed()), fromMicros(r.signed())
	if err != nil || r.err != nil || unpackPending(&v, r.b) != nil {
		return oauth.Pending{}, notFound("pending")
	}
	return v, nil
}

// PendingByID implements oauth.TokenStore. What is carried counts as long as the
// request has neither a row nor a grant.
func (p *ports) PendingByID(ctx context.Context, tenant, name string) (oauth.Pending, error) {
	id, part, carried := strings.Cut(name, carriedEnd)
	if !carried {
		return p.storedPending(ctx, tenant, id)
	}
	var stored int64
	v, err := one(ctx, p, "pending", func(r Row) (oauth.Pending, error) {
		v := oauth.Pending{Tenant: tenant, ID: id}
		err := r.Scan(&stored, into(&v.Done))
		return v, err
	}, `SELECT (SELECT COUNT(*) FROM pending WHERE tenant = $1 AND id = $2),
		COALESCE((SELECT created FROM app_grant WHERE tenant = $1 AND id = $2), 0)`, tenant, id)
	switch {
	case err != nil || !v.Done.IsZero() && stored == 0:
		return v, err
	case stored > 0:
		return p.storedPending(ctx, tenant, id)
	}
	return p.openCarried(ctx, tenant, id, part)
}

func (p *ports) storedPending(ctx context.Context, tenant, id string) (oauth.Pending, error) {
	var request, launch string
	var packed []byte
	v, err := one(ctx, p, "pending", func(r Row) (v oauth.Pending, err error) {
		err = r.Scan(&v.Tenant, &v.ID, &v.Browser, &request, &launch, reference{&v.LaunchUser},
			&v.SessionHash, &v.PersonID, doc(&v.Capacity), into(&v.Created), into(&v.Expires), into(&v.Done), &packed)
		return v, err
	}, `SELECT tenant, id, browser, request, context, launch_user, session_hash, person_id, capacity, created, expires,
		done, packed FROM pending WHERE tenant = $1 AND id = $2`, tenant, id)
	if err != nil {
		return oauth.Pending{}, err
	}
	if len(packed) > 0 {
		plain, err := p.open(ctx, pendingPlace(v, "packed"), packed)
		if err != nil {
			return oauth.Pending{}, err
		}
		err = unpackPending(&v, plain)
		return v, err
	}
	if err := p.openDoc(ctx, pendingPlace(v, "request"), request, &v.Request); err != nil {
		return oauth.Pending{}, err
	}
	return v, p.openDoc(ctx, pendingPlace(v, "context"), launch, &v.Context)
}

// packedPending gives where the texts of a request are, in the order in which they
// are packed. Another order is another form (newestForm).
func packedPending(v *oauth.Pending) []*string {
	q, c := &v.Request, &v.Capacity
	return []*string{
		&v.Browser, &v.SessionHash, &v.PersonID, (*string)(&c.Kind), &c.Patient, &c.Purpose, &c.Relationship,
		&q.ClientID, &q.RedirectURI, &q.Scope, &q.State, &q.Aud, &q.Challenge, &q.Nonce, &q.Launch, &q.LoginHint,
	}
}

// packPending gives the short form of a request. Errors: a part that has no JSON
// form.
func packPending(v oauth.Pending) ([]byte, error) {
	var texts []string
	for _, text := range packedPending(&v) {
		texts = append(texts, *text)
	}
	texts = append(texts, v.LaunchUser.String(), v.Capacity.Acting.String(), strconv.FormatInt(v.Request.MaxAge, 10))
	for _, part := range []any{v.Context, v.Request.Prompt, v.Request.ACR} {
		text, err := doc(part).text()
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	rare, err := rarelyPending(v.Request)
	if err != nil {
		return nil, err
	}
	texts = append(texts, rare...)
	return shortenAll(make([]byte, 0, 384), texts), nil
}

// rarelyPending gives what only few requests have, up to the last that this one
// has, so that the others stay as short.
func rarelyPending(v oauth.AuthorizeRequest) ([]string, error) {
	if v.Device.Hash == "" && v.JKT == "" && v.IDP == "" {
		return nil, nil
	}
	device, err := doc(v.Device).text()
	switch {
	case err != nil:
		return nil, err
	case v.IDP != "":
		return []string{device, v.JKT, v.IDP}, nil
	case v.JKT != "":
		return []string{device, v.JKT}, nil
	}
	return []string{device}, nil
}

// unpackPending reads it.
func unpackPending(v *oauth.Pending, plain []byte) error {
	r := shortReader{b: plain}
	texts, places := r.texts(), packedPending(v)
	if r.err != nil || len(texts) < len(places)+6 {
		return errShortForm
	}
	for i, place := range places {
		*place = texts[i]
	}
	rest := texts[len(places):]
	age, err := strconv.ParseInt(rest[2], 10, 64)
	v.Request.MaxAge = age
	if len(rest) > 6 {
		err = errors.Join(err, doc(&v.Request.Device).Scan(rest[6]))
	}
	if len(rest) > 7 {
		v.Request.JKT = rest[7]
	}
	if len(rest) > 8 {
		v.Request.IDP = rest[8]
	}
	return errors.Join(err, reference{&v.LaunchUser}.Scan(rest[0]), reference{&v.Capacity.Acting}.Scan(rest[1]),
		doc(&v.Context).Scan(rest[3]), doc(&v.Request.Prompt).Scan(rest[4]), doc(&v.Request.ACR).Scan(rest[5]))
}

func pendingPlace(v oauth.Pending, column string) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "pending", Column: column, Row: v.ID}
}

// answeredFor is for how long after its answer a request that was carried is
// kept, which is longer than one is taken.
const answeredFor = time.Hour

// FinishPending implements oauth.TokenStore. One that was carried gets a row here
// when it is refused, or as long as a node runs that looks for one.
func (p *ports) FinishPending(ctx context.Context, tenant, name, grantID string, t time.Time) (ok bool, err error) {
	id, _, carried := strings.Cut(name, carriedEnd)
	if carried && grantID == id && p.newest.Load() {
		return true, nil
	}
	unless := ""
	if grantID == "" {
		unless = ` AND NOT EXISTS (SELECT 1 FROM app_grant WHERE tenant = $1 AND id = $2)`
	}
	err = p.atomic(ctx, func(p *ports) error {
		if carried {
			ok, err = p.addUnless(ctx, "tenant, id", `INSERT INTO pending
				(tenant, id, browser, request, context, launch_user, session_hash, person_id, capacity, created, expires, done)
				SELECT $1, $2, '', '', '', '', '', '', '', CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($3 AS BIGINT) WHERE TRUE`+unless,
				tenant, id, micros(t), micros(t.Add(answeredFor)))
			if err != nil || ok {
				return err
			}
		}
		ok, err = p.won(ctx, `UPDATE pending SET done = $3 WHERE tenant = $1 AND id = $2 AND done = 0`+unless, tenant, id, micros(t))
		return err
	})
	return ok && err == nil, err
}
