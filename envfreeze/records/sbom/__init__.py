"""Bills of materials: what a lock or an image is made of, as CycloneDX and SPDX say it.

of_lock    of_image        read a lock or an image -> `Bill`
joined                     an image's packages with what only its lock knows
cyclonedx  spdx            write a `Bill`; equal bills give equal bytes
"""
