package registry

import (
	"context"
	"strings"
	"unicode/utf8"

	"thingd/internal/arn"
	"thingd/internal/fault"
)

// Tag is a word on a resource, for its owner's bookkeeping.
type Tag struct {
	Key   string // 1 to 128 characters
	Value string // up to 256 characters
}

// Limits of tags.
const (
	tagKeyMax   = 128 // characters
	tagValueMax = 256 // characters
	tagsMax     = 50  // per resource
	tagReserved = "aws:"
)

// TagTx is the part of a transaction that keeps tags. Packages that write their
// resources and the resources' tags in one transaction have it in their own Tx.
type TagTx interface {
	Tags(resource string) ([]Tag, error)
	PutTag(resource string, tag Tag) error
	DeleteTags(resource string) error
}

// PutTags puts tags on a resource; a key that is there gets the new value. More
// than 50 tags are LimitExceeded.
func PutTags(tx TagTx, resource string, tags []Tag) error {
	if len(tags) == 0 {
		return nil
	}
	have, err := tx.Tags(resource)
	if err != nil {
		return err
	}
	keys := map[string]bool{}
	for _, tag := range have {
		keys[tag.Key] = true
	}
	for _, tag := range tags {
		if err := tag.check(); err != nil {
			return err
		}
		keys[tag.Key] = true
		if err := tx.PutTag(resource, tag); err != nil {
			return err
		}
	}
	if len(keys) > tagsMax {
		return fault.LimitExceeded("a resource can have %d tags, not %d", tagsMax, len(keys))
	}
	return nil
}

func (t Tag) check() error {
	switch n := utf8.RuneCountInString(t.Key); {
	case n == 0 || n > tagKeyMax:
		return fault.InvalidRequest("a tag key has 1 to %d characters, not %d", tagKeyMax, n)
	case strings.HasPrefix(strings.ToLower(t.Key), tagReserved):
		return fault.InvalidRequest("tag keys that begin with %s are reserved", tagReserved)
	case !utf8.ValidString(t.Key) || !utf8.ValidString(t.Value):
		return fault.InvalidRequest("a tag is not valid UTF-8")
	case strings.ContainsRune(t.Key+t.Value, 0):
		return fault.InvalidRequest("a tag contains the character U+0000")
	case utf8.RuneCountInString(t.Value) > tagValueMax:
		return fault.InvalidRequest("the value of tag %s has more than %d characters", t.Key, tagValueMax)
	}
	return nil
}

// TagResource puts tags on a resource, AWS operation TagResource.
func (s *Service) TagResource(ctx context.Context, resource string, tags []Tag) error {
	if err := s.checkForeign(ctx, resource); err != nil {
		return err
	}
	return s.update(ctx, func(w *work) error {
		if err := s.checkOwn(w, resource); err != nil {
			return err
		}
		return PutTags(w, resource, tags)
	})
}

// UntagResource takes tags off a resource, AWS operation UntagResource. A key
// that is not there is a success.
func (s *Service) UntagResource(ctx context.Context, resource string, keys []string) error {
	if err := s.checkForeign(ctx, resource); err != nil {
		return err
	}
	return s.update(ctx, func(w *work) error {
		if err := s.checkOwn(w, resource); err != nil {
			return err
		}
		for _, key := range keys {
			if err := w.DeleteTag(resource, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// TagsForResource lists the tags of a resource by key, AWS operation
// ListTagsForResource. A resource has at most 50, which are one page.
func (s *Service) TagsForResource(ctx context.Context, resource string) (tags []Tag, err error) {
	if err := s.checkForeign(ctx, resource); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		if err := s.checkOwn(tx, resource); err != nil {
			return err
		}
		tags, err = tx.Tags(resource)
		return err
	})
	return tags, err
}

// ForgetTags removes all tags of a resource of another package that is gone.
func (s *Service) ForgetTags(ctx context.Context, resource string) error {
	return s.update(ctx, func(w *work) error { return w.DeleteTags(resource) })
}

// ownKinds are the taggable resources of the registry itself.
var ownKinds = map[string]func(tx Tx, name string) error{
	"thingtype":    func(tx Tx, name string) error { _, err := findType(tx, name); return err },
	"thinggroup":   func(tx Tx, name string) error { _, err := findGroup(tx, name); return err },
	"billinggroup": func(tx Tx, name string) error { _, err := findBillingGroup(tx, name); return err },
}

// checkOwn refuses a missing resource of the registry; what belongs to others
// was seen to by checkForeign.
func (s *Service) checkOwn(tx Tx, resource string) error {
	parsed, err := arn.Parse(resource)
	if err != nil {
		return err
	}
	kind, name := parsed.Kind()
	if find, ok := ownKinds[kind]; ok {
		return find(tx, name)
	}
	return nil
}

// checkForeign refuses what is no taggable resource of this account. Things and
// device certificates are among them.
func (s *Service) checkForeign(ctx context.Context, resource string) error {
	parsed, err := arn.Parse(resource)
	if err != nil {
		return err
	}
	if !parsed.In(s.scope, "iot") {
		return fault.NotFound("Resource %s not found", resource)
	}
	kind, _ := parsed.Kind()
	if _, own := ownKinds[kind]; own {
		return nil
	}
	exists, ok := s.TagExists[kind]
	if !ok {
		return fault.InvalidRequest("resources of kind %q cannot be tagged", kind)
	}
	found, err := exists(ctx, parsed)
	if err == nil && !found {
		err = fault.NotFound("Resource %s not found", resource)
	}
	return err
}
