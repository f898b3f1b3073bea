package route

import "reflect"

// Operation describes a route of a JSON API by the types that its handler reads
// and gives, so that its documentation cannot say anything else.
type Operation struct {
	// ID is the stable name of the operation; it is unique.
	ID string
	// Summary is one sentence, Detail what else a caller must know.
	Summary, Detail string
	// Query is a struct whose fields are the parameters behind the question mark;
	// one that is not omitempty must be given. Body is what the request holds,
	// Answer what a good answer does. A nil type stands for nothing.
	Query, Body, Answer reflect.Type
	// Media is the content type of Body where it is not application/json.
	Media string
	// Status is that of a good answer.
	Status int
	// Match says that If-Match names the version that the caller last saw, Tag
	// that the answer names its version in ETag.
	Match, Tag bool
	// Headers are other headers of a good answer, each with its description.
	Headers map[string]string
}

// Empty is the type of a body or of parameters that there are none of.
type Empty struct{}

// TypeOf gives the type of a part of an operation, nil for Empty.
func TypeOf[T any]() reflect.Type {
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[Empty]() {
		return t
	}
	return nil
}
