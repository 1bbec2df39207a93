"""H.264 streams to decode jobs and frames: the host's half of decoding.

The chip's decode core takes one picture a job and keeps no state; everything above slice data happens here, in the
manner of drivers for "stateless" decoders: NAL units, parameter sets, slice headers, the decoded picture buffer, output
order. A `DecodeTarget` runs the jobs; frames come back in output order as `DecodedFrame`.
"""

from driver.decode.decoder import BELIEVED_MBS, H264Decoder
from driver.decode.refusal import stream_refusal
from driver.decode.surfaces import DecodedFrame, DecodeTarget, SurfaceSet

__all__ = ["BELIEVED_MBS", "DecodeTarget", "DecodedFrame", "H264Decoder", "SurfaceSet", "stream_refusal"]
