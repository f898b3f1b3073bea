package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth/registration"
)

type clientEdit struct {
	clientOne
	Loosen  bool     `help:"Let the change ask less of the client than it is asked now, such as not to push its requests any more."`
	Version string   `name:"if-version" help:"Only in place of this version, as client show tells it." placeholder:"VERSION"`
	Changes []string `arg:"" name:"change" help:"MEMBER=VALUE sets a member of the registration, MEMBER+=VALUE and MEMBER-=VALUE add to a list or to scope and take from it, MEMBER= takes the member away. VALUE is text or JSON. Members are those of client show."`
}

// Run changes single members of a registration, by the door of every other
// change, and tells what is different.
func (c *clientEdit) Run(s *streams) error {
	return c.on(s, "edit", func(a *App, r *registration.Service, by audit.Event) error {
		before, err := r.One(s.ctx, c.Tenant, c.ID)
		if err != nil {
			return err
		}
		was := registration.Of(before)
		next, err := edited(was, c.Changes)
		if err != nil {
			return err
		}
		version := registration.VersionOf(before)
		if c.Version != "" {
			version = c.Version
		}
		desk := registration.Desk{Service: r, Rules: registration.Rules{Operator: true, Development: a.cfg.Dev}, Offer: registration.Everything(), Administration: true}
		after, err := desk.Edit(s.ctx, c.Tenant, registration.Editing{
			Entry: next, IfVersion: version, Loosen: c.Loosen, Tell: true, Origin: by,
		})
		if err != nil {
			return err
		}
		return printChanges(s, was, registration.Of(after))
	})
}

// members gives an entry as its JSON members.
func members(e registration.Entry) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{}
	return out, json.Unmarshal(raw, &out)
}

// edited applies changes such as client_name=Diary to an entry.
func edited(e registration.Entry, changes []string) (registration.Entry, error) {
	all, err := members(e)
	if err != nil {
		return e, err
	}
	for _, change := range changes {
		name, value, found := strings.Cut(change, "=")
		if !found {
			return e, fmt.Errorf("%q is no change: write MEMBER=VALUE, MEMBER+=VALUE, MEMBER-=VALUE or MEMBER=", change)
		}
		bare := strings.TrimRight(name, "+-")
		typ, known := memberType(bare)
		if !known || bare == "client_id" {
			return e, fmt.Errorf("%q is no member that can be changed; mandate client show and docs/operations/registration.md name them", bare)
		}
		if err := applied(all, bare, strings.TrimPrefix(name, bare), value, typ); err != nil {
			return e, err
		}
		if bare == "token_endpoint_auth_method" || bare == "grant_types" {
			// The kind is short for both, and would contradict them.
			delete(all, "kind")
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return e, err
	}
	var out registration.Entry
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&out); err != nil {
		return e, fmt.Errorf("a value does not fit its member: %w", err)
	}
	return out, nil
}

// memberType gives the Go type of a member of an entry.
func memberType(name string) (reflect.Type, bool) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[registration.Entry]()) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == name && tag != "" {
			return f.Type, true
		}
	}
	return nil, false
}

// applied applies one change; how is "", "+" or "-".
func applied(all map[string]json.RawMessage, name, how, value string, typ reflect.Type) error {
	list := typ == reflect.TypeFor[[]string]()
	switch {
	case how == "" && value == "":
		delete(all, name)
		return nil
	case how == "":
		all[name] = valueOf(value, typ)
		return nil
	case !list && name != "scope":
		return fmt.Errorf("%s is no list: write %s=VALUE", name, name)
	}
	var have []string
	if list && all[name] != nil {
		if err := json.Unmarshal(all[name], &have); err != nil {
			return err
		}
	} else if all[name] != nil {
		var text string
		if err := json.Unmarshal(all[name], &text); err != nil {
			return err
		}
		have = strings.Fields(text)
	}
	switch at := slices.Index(have, value); {
	case how == "+" && at < 0:
		have = append(have, value)
	case how == "-" && at < 0:
		return fmt.Errorf("%s has no %q", name, value)
	case how == "-":
		have = slices.Delete(have, at, at+1)
	}
	var err error
	if list {
		all[name], err = json.Marshal(have)
	} else {
		all[name], err = json.Marshal(strings.Join(have, " "))
	}
	return err
}

// valueOf reads a value of the command line: JSON where the member is no text,
// and a single text where it is a list.
func valueOf(text string, typ reflect.Type) json.RawMessage {
	quoted, _ := json.Marshal(text)
	switch {
	case typ.Kind() == reflect.String:
		return quoted
	case typ == reflect.TypeFor[[]string]() && !strings.HasPrefix(text, "["):
		return json.RawMessage("[" + string(quoted) + "]")
	case !json.Valid([]byte(text)):
		return quoted
	}
	return json.RawMessage(text)
}

// printChanges tells what is different now.
func printChanges(s *streams, was, is registration.Entry) error {
	before, err := members(was)
	if err != nil {
		return err
	}
	after, err := members(is)
	if err != nil {
		return err
	}
	var names []string
	for name := range before {
		names = append(names, name)
	}
	for name := range after {
		if _, had := before[name]; !had {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	same := true
	for _, name := range names {
		if !bytes.Equal(before[name], after[name]) {
			same = false
			fmt.Fprintf(s.out, "%s: %s, was %s\n", name, orDash(string(after[name])), orDash(string(before[name])))
		}
	}
	if same {
		fmt.Fprintln(s.out, "nothing is different")
	}
	return nil
}
