package sandbox

import (
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// patch answers PATCH [type]/[id] with JSON Patch (FHIR R4 http.html#patch).
func (s *server) patch(req *request, typ *resourceType, id string) (response, error) {
	rec := s.store.find(typ.name, id)
	if rec == nil {
		return response{}, notFound("%s/%s is not known", typ.name, id)
	}
	return s.patchRecord(req, rec)
}

// patchWhere answers PATCH [type]?criteria.
func (s *server) patchWhere(req *request, typ *resourceType) (response, error) {
	rec, err := s.only(typ, req.query.Encode())
	if err != nil {
		return response{}, err
	}
	if rec == nil {
		return response{}, notFound("no %s matches the criteria", typ.name)
	}
	return s.patchRecord(req, rec)
}

func (s *server) patchRecord(req *request, rec *record) (response, error) {
	if req.media != mediaPatch {
		return response{}, refuse(http.StatusUnsupportedMediaType, "not-supported", "a patch is %s", mediaPatch)
	}
	if rec.deleted() {
		return response{}, gone(rec)
	}
	patched, err := applyPatch(rec.current().body, req.body)
	if err != nil {
		return response{}, err
	}
	root, err := parseJSON(patched)
	if err != nil {
		return response{}, refuse(http.StatusUnprocessableEntity, "processing", "the patched resource is malformed: %s", err)
	}
	if err := checkType(root, rec.typ); err != nil {
		return response{}, err
	}
	if root.get("id").str() != rec.id {
		return response{}, badRequest("a patch cannot change the id")
	}
	return s.replace(req, rec.typ, rec.id, http.MethodPatch, root)
}

// applyPatch applies a JSON Patch document (RFC 6902) to a JSON document. What
// the patch does not touch keeps its exact text.
func applyPatch(doc, patch []byte) ([]byte, error) {
	root, err := parseJSON(doc)
	if err != nil {
		return nil, err
	}
	ops, err := parseJSON(patch)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "structure", "malformed JSON Patch: %s", err)
	}
	if ops.kind != '[' {
		return nil, badRequest("a JSON Patch is an array of operations")
	}
	for i := range ops.kids {
		if err := applyOperation(root, &ops.kids[i]); err != nil {
			return nil, refuse(http.StatusUnprocessableEntity, "processing", "patch operation %d: %s", i, err)
		}
	}
	return root.write(nil), nil
}

func applyOperation(root, op *node) error {
	to, err := parsePointer(op.get("path"))
	if err != nil {
		return err
	}
	value := op.get("value")
	switch name := op.get("op").str(); name {
	case "add", "replace", "test":
		if value == nil {
			return fmt.Errorf("%s needs a value", name)
		}
		switch name {
		case "add":
			return add(root, to, *value)
		case "replace":
			return replaceAt(root, to, *value)
		}
		have, err := lookup(root, to)
		if err == nil && !equal(have, value) {
			err = fmt.Errorf("the value at %s is another one", op.get("path").str())
		}
		return err
	case "remove":
		_, err := removeAt(root, to)
		return err
	case "move", "copy":
		from, err := parsePointer(op.get("from"))
		if err != nil {
			return err
		}
		return transfer(root, name, from, to)
	default:
		return fmt.Errorf("%q is no JSON Patch operation", name)
	}
}

func transfer(root *node, name string, from, to []string) error {
	if name == "copy" {
		have, err := lookup(root, from)
		if err != nil {
			return err
		}
		return add(root, to, *have)
	}
	if len(from) < len(to) && slices.Equal(from, to[:len(from)]) {
		return fmt.Errorf("a value cannot move into itself")
	}
	have, err := removeAt(root, from)
	if err != nil {
		return err
	}
	return add(root, to, have)
}

// parsePointer reads a JSON Pointer (RFC 6901).
func parsePointer(n *node) ([]string, error) {
	if n == nil || n.kind != '"' {
		return nil, fmt.Errorf("path or from is missing")
	}
	s := n.str()
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, fmt.Errorf("%q is not a JSON Pointer", s)
	}
	tokens := strings.Split(s[1:], "/")
	for i, t := range tokens {
		plain := strings.NewReplacer("~0", "", "~1", "").Replace(t)
		if strings.Contains(plain, "~") {
			return nil, fmt.Errorf("%q is not a JSON Pointer", s)
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens, nil
}

// step gives the place of a pointer token among the children of n; with grow,
// the end of an array counts, and a new member has place -1.
func step(n *node, token string, grow bool) (int, error) {
	switch n.kind {
	case '{':
		i := slices.IndexFunc(n.kids, func(k node) bool { return k.key == token })
		if i < 0 && !grow {
			return 0, fmt.Errorf("there is no member %q", token)
		}
		return i, nil
	case '[':
		last := len(n.kids) - 1
		if grow {
			last++
			if token == "-" {
				return last, nil
			}
		}
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i > last || strconv.Itoa(i) != token {
			return 0, fmt.Errorf("there is no element %q", token)
		}
		return i, nil
	}
	return 0, fmt.Errorf("%q is below a plain value", token)
}

func lookup(n *node, path []string) (*node, error) {
	for _, token := range path {
		i, err := step(n, token, false)
		if err != nil {
			return nil, err
		}
		n = &n.kids[i]
	}
	return n, nil
}

// open walks to the parent of a path and marks the way as changed. Children
// are copied on the way, because a copied value shares them.
func open(n *node, path []string) (*node, error) {
	for i, token := range path {
		n.raw = nil
		n.kids = slices.Clone(n.kids)
		if i == len(path)-1 {
			break
		}
		at, err := step(n, token, false)
		if err != nil {
			return nil, err
		}
		n = &n.kids[at]
	}
	if n.kind != '{' && n.kind != '[' {
		return nil, fmt.Errorf("%q is below a plain value", path[len(path)-1])
	}
	return n, nil
}

func add(root *node, path []string, value node) error {
	if len(path) == 0 {
		value.key = ""
		*root = value
		return nil
	}
	parent, err := open(root, path)
	if err != nil {
		return err
	}
	token := path[len(path)-1]
	at, err := step(parent, token, true)
	if err != nil {
		return err
	}
	value.key = ""
	switch {
	case parent.kind == '[':
		parent.kids = slices.Insert(parent.kids, at, value)
		return nil
	case at < 0:
		parent.kids = append(parent.kids, node{})
		at = len(parent.kids) - 1
	}
	value.key = token
	parent.kids[at] = value
	return nil
}

func replaceAt(root *node, path []string, value node) error {
	if _, err := lookup(root, path); err != nil {
		return err
	}
	if len(path) == 0 {
		return add(root, nil, value)
	}
	parent, err := open(root, path)
	if err != nil {
		return err
	}
	at, err := step(parent, path[len(path)-1], false)
	if err != nil {
		return err
	}
	value.key = parent.kids[at].key
	parent.kids[at] = value
	return nil
}

func removeAt(root *node, path []string) (node, error) {
	if len(path) == 0 {
		return node{}, fmt.Errorf("the whole document cannot be removed")
	}
	parent, err := open(root, path)
	if err != nil {
		return node{}, err
	}
	at, err := step(parent, path[len(path)-1], false)
	if err != nil {
		return node{}, err
	}
	out := parent.kids[at]
	parent.kids = slices.Delete(parent.kids, at, at+1)
	return out, nil
}

// equal compares as RFC 6902 section 4.6 says: members in any order, numbers
// by value.
func equal(a, b *node) bool {
	if a.kind != b.kind || len(a.kids) != len(b.kids) {
		return false
	}
	switch a.kind {
	case '"':
		return a.str() == b.str()
	case '0':
		return sameNumber(string(a.raw), string(b.raw))
	}
	for i := range a.kids {
		other := &b.kids[i]
		if a.kind == '{' {
			other = b.get(a.kids[i].key)
		}
		if other == nil || !equal(&a.kids[i], other) {
			return false
		}
	}
	return true
}

func sameNumber(a, b string) bool {
	x, _, errX := big.ParseFloat(a, 10, 256, big.ToNearestEven)
	y, _, errY := big.ParseFloat(b, 10, 256, big.ToNearestEven)
	return errX == nil && errY == nil && x.Cmp(y) == 0
}
