package kit

import (
	"context"
	"fmt"
	"net/url"
)

// DeviceClient gives a client that is a device without keyboard, a zero one when
// there is none.
func (t *Target) DeviceClient() Client {
	for _, c := range t.Clients {
		if c.DeviceFlow {
			return c
		}
	}
	return Client{}
}

// BeginDevice sends the request of a device (RFC 8628 §3.1).
func (t *Target) BeginDevice(ctx context.Context, c Client, scope string) (*Response, error) {
	return t.Call(ctx, t.Config.Device, c, url.Values{"scope": {scope}})
}

// Poll asks as a device whether somebody answered (RFC 8628 §3.4).
func (t *Target) Poll(ctx context.Context, c Client, code string) (*Response, error) {
	return t.Call(ctx, t.Config.Token, c, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code},
	})
}

// Connect types a code on the page for devices and walks the pages that follow.
// Answer.Last is the page at the end. Errors: the page asks for no code.
func (t *Target) Connect(ctx context.Context, page, typed string, v Visit) (*Answer, error) {
	b := v.Browser
	if b == nil {
		b = t.Browser(v.Person)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := b.Open(ctx, page, "")
	if err != nil {
		return nil, err
	}
	f := p.FormWith("user_code")
	if f == nil {
		return nil, fmt.Errorf("the page %s asks for no user_code: %s", page, p.Response)
	}
	f.Set("user_code", typed)
	if p, err = b.Submit(ctx, f, nil, ""); err != nil {
		return nil, err
	}
	if p.FormWith("user_code") != nil {
		return &Answer{Last: p, trail: p.Trail}, nil
	}
	return b.walk(ctx, p, v, "")
}
