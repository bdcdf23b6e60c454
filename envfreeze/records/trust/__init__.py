"""Records that can be trusted: signed statements about images, and the policy that says whose count.

    keys          who signs, and whose signatures count
    envelope      a payload and its signatures (DSSE)
    materials     what a lock names, as SLSA's resource descriptors
    provenance    a record and its lock as a statement of in-toto with SLSA's provenance, and back
    attached      envelopes beside an image in its registry, as referrers and as cosign reads them
    policy        the policy file
    judgement     a signed build against the policy

A signature is looked at before what it signs is read.
"""
