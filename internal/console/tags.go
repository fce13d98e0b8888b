package console

import (
	"context"
	"net/url"
	"strings"

	"thingd/internal/registry"
)

// tagged is a resource and its tags, for the editor that the pages of all
// resources share.
type tagged struct {
	Resource string // ARN
	Tags     []pair
	Hidden   bool // the visitor may not see them
}

// Tagged gives the tags of a page that has them among other fields.
func (t tagged) Tagged() tagged { return t }

// tagKeeper knows the tags of one service's resources.
type tagKeeper struct {
	list, add, remove string // actions
	get               func(ctx context.Context, resource string) ([]registry.Tag, error)
	put               func(ctx context.Context, resource string, tags []registry.Tag) error
	drop              func(ctx context.Context, resource string, keys []string) error
}

func (v *visit) tagKeeper(resource string) tagKeeper {
	if strings.Contains(resource, ":sagemaker:") {
		return tagKeeper{
			"sagemaker:ListTags", "sagemaker:AddTags", "sagemaker:DeleteTags", v.Fleets.Tags,
			func(ctx context.Context, resource string, tags []registry.Tag) error {
				_, err := v.Fleets.AddTags(ctx, resource, tags)
				return err
			}, v.Fleets.DeleteTags,
		}
	}
	return tagKeeper{
		"iot:ListTagsForResource", "iot:TagResource", "iot:UntagResource",
		v.Registry.TagsForResource, v.Registry.TagResource, v.Registry.UntagResource,
	}
}

// tagged reads the tags of a resource, if the visitor may see them.
func (v *visit) tagged(resource string) (tagged, error) {
	keeper, found := v.tagKeeper(resource), tagged{Resource: resource}
	if found.Hidden = v.may(keeper.list, resource) != nil; found.Hidden {
		return found, nil
	}
	tags, err := keeper.get(v.r.Context(), resource)
	for _, tag := range tags {
		found.Tags = append(found.Tags, pair{tag.Key, tag.Value})
	}
	return found, err
}

// setTags makes the tags of a resource those of the form.
func (v *visit) setTags() error {
	resource := v.form("resource")
	v.note("resource", resource)
	keeper := v.tagKeeper(resource)
	if err := v.may(keeper.list, resource); err != nil {
		return err
	}
	before, err := keeper.get(v.r.Context(), resource)
	if err != nil {
		return err
	}
	wanted, err := v.mapOf(v.pairs())
	if err != nil {
		return err
	}
	if err := v.changeTags(keeper, resource, before, wanted); err != nil {
		return err
	}
	return v.to(v.back(), "saved")
}

// changeTags asks for the right to add and the right to remove only where
// something is added or removed.
func (v *visit) changeTags(keeper tagKeeper, resource string, before []registry.Tag, wanted map[string]string) error {
	var gone []string
	for _, tag := range before {
		value, stays := wanted[tag.Key]
		if !stays {
			gone = append(gone, tag.Key)
		} else if value == tag.Value {
			delete(wanted, tag.Key)
		}
	}
	if len(gone) > 0 {
		if err := v.may(keeper.remove, resource); err != nil {
			return err
		}
		if err := keeper.drop(v.r.Context(), resource, gone); err != nil {
			return err
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := v.may(keeper.add, resource); err != nil {
		return err
	}
	return keeper.put(v.r.Context(), resource, tagsOf(wanted))
}

func tagsOf(m map[string]string) []registry.Tag {
	tags := make([]registry.Tag, 0, len(m))
	for _, key := range sortedKeys(m) {
		tags = append(tags, registry.Tag{Key: key, Value: m[key]})
	}
	return tags
}

// back is the page that the form came from, within the console.
func (v *visit) back() string {
	at, err := url.Parse(v.form("back"))
	if err != nil || at.Host != "" {
		return Root
	}
	return nextOf(at.RequestURI())
}

// editor is the part of a page that edits tags.
type editor struct {
	*view
	tagged
	Back string
}

// TagEditor gives it for the page's resource.
func (v *view) TagEditor(t tagged) editor { return editor{v, t, v.r.URL.RequestURI()} }

var tagRoutes = []route{{"POST /console/tags", (*visit).setTags}}
