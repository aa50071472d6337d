#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""moto's server with what Terraform needs and moto 5 gets wrong put right: emulator.py PORT"""
import json, sys

import moto.autoscaling.models as autoscaling
import moto.cloudtrail.models as trail
import moto.server
import moto.sqs.models as sqs

# Terraform names a trail by its ARN, as AWS allows.
for name in ('start_logging', 'stop_logging', 'delete_trail'):
    was = getattr(trail.CloudTrailBackend, name)
    setattr(trail.CloudTrailBackend, name, lambda self, name, was=was: was(self, name.rpartition('/')[2]))

# Setting one attribute of a queue leaves the others alone, and RedriveAllowPolicy is one. What was given comes back as it was.
set_attributes, attributes = sqs.Queue._set_attributes, sqs.Queue.attributes.fget


def keep(self, new, now=None):
    if 'RedriveAllowPolicy' in new:
        self.coffer_redrive_allow = new['RedriveAllowPolicy']
    set_attributes(self, {'Policy': getattr(self, 'policy', None), **{k: v for k, v in new.items() if k != 'RedriveAllowPolicy'}}, now)


def show(self):
    allow = getattr(self, 'coffer_redrive_allow', None)
    have = attributes(self)
    if have.get('RedrivePolicy'):
        have['RedrivePolicy'] = json.dumps(json.loads(have['RedrivePolicy']), separators=(',', ':'))
    return have | ({'RedriveAllowPolicy': allow} if allow else {})


sqs.Queue._set_attributes, sqs.Queue.attributes = keep, property(show)

# A scaling policy is enabled, and predicts only if it was asked to.
policy = autoscaling.FakeScalingPolicy.__init__


def scale(self, *args, **named):
    policy(self, *args, **named)
    self.enabled, self.predictive_scaling_configuration = True, self.predictive_scaling_configuration or None


autoscaling.FakeScalingPolicy.__init__ = scale
moto.server.main(['-H', '127.0.0.1', '-p', sys.argv[1]])
