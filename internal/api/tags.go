package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/registry"
)

// TagResource puts tags on a resource.
func (a *IoT) TagResource(ctx context.Context, in *iot.TagResourceRequest) (*iot.TagResourceResponse, error) {
	return &iot.TagResourceResponse{}, a.Registry.TagResource(ctx, in.ResourceArn, tagsIn(in.Tags))
}

func tagsIn(tags []iot.Tag) []registry.Tag {
	var all []registry.Tag
	for _, t := range tags {
		all = append(all, registry.Tag(t))
	}
	return all
}

// UntagResource takes tags off a resource.
func (a *IoT) UntagResource(ctx context.Context, in *iot.UntagResourceRequest) (*iot.UntagResourceResponse, error) {
	return &iot.UntagResourceResponse{}, a.Registry.UntagResource(ctx, in.ResourceArn, in.TagKeys)
}

// ListTagsForResource lists the tags of a resource, always on one page.
func (a *IoT) ListTagsForResource(ctx context.Context, in *iot.ListTagsForResourceRequest) (*iot.ListTagsForResourceResponse, error) {
	tags, err := a.Registry.TagsForResource(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &iot.ListTagsForResourceResponse{Tags: make([]iot.Tag, len(tags))}
	for i, t := range tags {
		out.Tags[i] = iot.Tag(t)
	}
	return out, nil
}
