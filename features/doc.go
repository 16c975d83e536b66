// Package features is the feature store: what is counted (profiles), how it is kept in Redis, and
// how facts become inputs of the network. Encode is the only place where facts become inputs.
//
// # Configuration
//
// The features section of the configuration declares three kinds of inputs.
//
//	features:
//	  context: ["*"]            # every field of a request's context (the default), or names; "geo.*" takes all below geo
//	  drop: [session_id]        # never taken
//	  profiles:
//	    - {entity: user, aggregate: count, event: click, window: 1h}                       # user.click_count_1h
//	    - {entity: ad, aggregate: ratio, event: click, over: impression, window: 7d, prior: 0.01, weight: 100}
//	    - {entity: user, aggregate: recency, event: impression}                            # user.impression_recency, in seconds
//	    - {entity: user, aggregate: last, event: page, value: context.category}            # user.page_last_category
//	    - {entity: "user*campaign", aggregate: count, event: impression, half_life: 1d}    # user*campaign.impression_count_half_1d
//	    - {entity: context.job, aggregate: sum, event: conversion, value: value, window: 1d, name: job_revenue_1d}
//	  cross:
//	    - [device, campaign]      # device*campaign
//
// An entity is what a profile belongs to: user (or the anonymous id when there is no user), ad,
// campaign, user*campaign, or context.NAME: one profile for each value of that context field. An
// event counts for the entities that it names.
//
// What an aggregate counts (event, over) is a type of events, or what an SDK calls them: "Product
// Viewed" counts the track calls of that name, and "Pricing" the pages and screens, while track and
// page count all of them (event.Event.Name).
//
// An aggregate is one of
//
//   - count: how many events. Without window and half_life: since ever.
//   - sum: the total of value over the events that have it, as a number or as a text that is one
//     ("12.54"), kept in millionths.
//   - ratio: (events + prior*weight) / (over + weight), both counted over the same window.
//   - recency: seconds since the last event.
//   - last: the value that the last event had, as string or number.
//
// A value is "value" (the event's money), "ad", "campaign", "channel", "source", "context.NAME" or
// "properties.NAME".
//
// A window is a sawtooth: its head is exact, its tail is cut to tiles of 5 minutes (windows below
// 12 hours), 1 hour (below 12 days) or 1 day. At time t, a window W of tiles h holds the events
// from floor((t-W)/h)*h on, to the end of t's own tile: at least W and less than W+h. With
// half_life H an event of age a weighs 2^(-a/H); ages are taken from the middle of the event's
// tile, and events older than 8 half-lives are left out. Its tiles are those of a window of 8 H.
//
// The name of a feature is ENTITY.EVENT_AGGREGATE_WINDOW unless name gives another; names must be
// unique.
//
// # What a request sees
//
// Assemble lists the facts of one candidate in a fixed order: the request's context in its own
// order, with the candidate's values in the place of the request's where both name a field; the
// rest of the candidate's context; ad and campaign; the aggregates as declared; the crosses as
// declared. An entity without an id has no aggregates; one that was never seen has counts of 0 and
// ratios of their prior, and no recency and last (null). When profiles could not be read, all
// aggregates are null: not known is not zero.
//
// # Stores
//
// Events are folded into profiles by Set.Updates, which is pure, and Store.Apply, which keeps each
// partition's position beside the profiles and each source partition's highest offset in each
// profile, so that repeats and crashes change nothing. All that is kept is integers, times and last
// values, and what a profile holds at the end does not depend on the order in which partitions are
// folded. Memory and Redis hold the same, field by field.
package features
