package gateway

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

var errPatch = errs.New(errs.Unprocessable, "patch-not-applicable", "The patch cannot be applied to the resource.")

// maxPatched bounds what becomes of a resource, in bytes; maxPatchWork bounds
// what the operations of one patch read together. A value that is copied into
// itself doubles: some thirty copies would fill any memory.
const (
	maxPatched   = 2 << 20
	maxPatchWork = 64 << 20
)

var errPatchTooLarge = errs.New(errs.TooLarge, "patch-too-large", "The patch makes the resource too large, or takes too much work.")

// applyPatch applies a JSON Patch (RFC 6902). What it does not touch keeps its
// exact text. Errors: errs.Unprocessable, alike for every cause;
// errs.TooLarge above the bounds.
func applyPatch(doc json.RawMessage, ops []rest.PatchOp) (json.RawMessage, error) {
	doc = bytes.TrimSpace(doc)
	work := 0
	for _, op := range ops {
		if work += len(doc); work > maxPatchWork {
			return nil, errPatchTooLarge
		}
		var err error
		if doc, err = applyOne(doc, op); err != nil {
			return nil, err
		}
		if len(doc) > maxPatched {
			return nil, errPatchTooLarge
		}
	}
	return doc, nil
}

func applyOne(doc json.RawMessage, op rest.PatchOp) (json.RawMessage, error) {
	to := pointer(op.Path)
	switch op.Op {
	case "add":
		return at(doc, to, add(op.Value))
	case "replace":
		return at(doc, to, replace(op.Value))
	case "remove":
		return at(doc, to, remove)
	case "test":
		have, err := lookup(doc, to)
		if err != nil || !same(have, op.Value) {
			return nil, errPatch
		}
		return doc, nil
	}
	from := pointer(op.From)
	value, err := lookup(doc, from)
	if err != nil {
		return nil, err
	}
	if op.Op == "move" {
		if len(to) > len(from) && slices.Equal(to[:len(from)], from) {
			return nil, errPatch
		}
		if doc, err = at(doc, from, remove); err != nil {
			return nil, err
		}
	}
	return at(doc, to, add(value))
}

// pointer splits a JSON pointer (RFC 6901) that was checked when parsed.
func pointer(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s[1:], "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(parts[i], "~1", "/"), "~0", "~")
	}
	return parts
}

// change gives what becomes of a value; have is nil when there is none. insert
// asks an array to make room instead of overwriting.
type change func(have json.RawMessage) (next json.RawMessage, insert bool, err error)

func add(value json.RawMessage) change {
	return func(json.RawMessage) (json.RawMessage, bool, error) { return value, true, nil }
}

func replace(value json.RawMessage) change {
	return func(have json.RawMessage) (json.RawMessage, bool, error) {
		if have == nil {
			return nil, false, errPatch
		}
		return value, false, nil
	}
}

func remove(have json.RawMessage) (json.RawMessage, bool, error) {
	if have == nil {
		return nil, false, errPatch
	}
	return nil, false, nil
}

// at changes the value at a path.
func at(doc json.RawMessage, path []string, do change) (json.RawMessage, error) {
	if len(path) == 0 {
		next, _, err := do(doc)
		if err == nil && next == nil {
			err = errPatch
		}
		return next, err
	}
	if doc[0] == '{' {
		return atMember(doc, path, do)
	}
	return atItem(doc, path, do)
}

func atMember(doc json.RawMessage, path []string, do change) (json.RawMessage, error) {
	list, err := view.Members(doc)
	if err != nil {
		return nil, err
	}
	have := view.Value(list, path[0])
	var next json.RawMessage
	if len(path) > 1 {
		if have == nil {
			return nil, errPatch
		}
		next, err = at(have, path[1:], do)
	} else {
		next, _, err = do(have)
	}
	if err != nil {
		return nil, err
	}
	if out := view.Join(view.Set(list, path[0], next)); out != nil {
		return out, nil
	}
	return json.RawMessage("{}"), nil
}

func atItem(doc json.RawMessage, path []string, do change) (json.RawMessage, error) {
	list, err := view.Items(doc)
	if err != nil {
		return nil, errPatch
	}
	i, ok := index(path[0], len(list))
	if !ok || len(path) > 1 && i == len(list) {
		return nil, errPatch
	}
	var have, next json.RawMessage
	insert := false
	if i < len(list) {
		have = list[i]
	}
	if len(path) > 1 {
		next, err = at(have, path[1:], do)
	} else {
		next, insert, err = do(have)
	}
	switch {
	case err != nil:
		return nil, err
	case insert:
		list = slices.Insert(list, i, next)
	case next == nil:
		list = slices.Delete(list, i, i+1)
	default:
		list[i] = next
	}
	return slices.Concat([]byte{'['}, bytes.Join(asBytes(list), []byte{','}), []byte{']'}), nil
}

func asBytes(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}

// index reads an array index; the length stands for the place behind the end.
func index(s string, length int) (int, bool) {
	if s == "-" {
		return length, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= length && strconv.Itoa(n) == s
}

func lookup(doc json.RawMessage, path []string) (json.RawMessage, error) {
	for _, p := range path {
		if doc[0] == '{' {
			list, err := view.Members(doc)
			if err != nil {
				return nil, err
			}
			doc = view.Value(list, p)
		} else {
			list, err := view.Items(doc)
			i, ok := index(p, len(list))
			if err != nil || !ok || i == len(list) {
				return nil, errPatch
			}
			doc = list[i]
		}
		if doc == nil {
			return nil, errPatch
		}
	}
	return doc, nil
}

// same compares two JSON values as RFC 6902 §4.6 does: numbers by value,
// objects without regard to order.
func same(a, b json.RawMessage) bool {
	var x, y any
	return decode(a, &x) && decode(b, &y) && equalValues(x, y)
}

func decode(raw json.RawMessage, into *any) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into) == nil
}

func equalValues(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		// Huge exponents are compared as text, not computed.
		if !ok || len(x) > 40 || len(y) > 40 || strings.ContainsAny(string(x+y), "eE") {
			return ok && x == y
		}
		p, okP := new(big.Rat).SetString(string(x))
		q, okQ := new(big.Rat).SetString(string(y))
		return okP && okQ && p.Cmp(q) == 0
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equalValues)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, has := y[k]; !has || !equalValues(v, w) {
				return false
			}
		}
		return true
	}
	return a == b
}
