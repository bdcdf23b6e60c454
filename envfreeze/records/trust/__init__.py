"""Records that can be trusted: signed statements about images, and the policy that says whose count.

    keys          who signs, and whose signatures count
    envelope      a payload and its signatures (DSSE)
    identities    who signs without a key, and whose signatures count
    tokens        where the word for an identity comes from
    roots         instances of Sigstore, and whom they trust
    keyless       signing as an identity
    bundle        a payload, a signature and the proofs of who made it, and when
    signing       by a key or as an identity
    materials     what a lock names, as SLSA's resource descriptors
    provenance    a record and its lock as a statement of in-toto with SLSA's provenance, and back
    bills         bills of materials as statements
    attached      what is signed beside an image in its registry, as referrers and as cosign reads it
    policy        the policy file
    patterns      what `*` in it means
    counted       what is signed by those whom it names
    judgement     a signed build against the policy

A signature is looked at before what it signs is read.
"""
