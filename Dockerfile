# abaw with the versions of requirements/all.txt, for Linux x86-64; docs/containers.md says how to build and run it.
FROM python:3.11-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
WORKDIR /opt/abaw

# first the lock alone: a change of the code leaves these 6 GB as they are
COPY requirements/all.txt requirements/all.txt
RUN python -m pip install --quiet --require-hashes --no-deps -r requirements/all.txt
# mediapipe asks for an OpenCV with a window system, which needs libGL; the headless wheel of the same version goes on top
RUN python -m pip install --quiet --force-reinstall --no-deps "opencv-python-headless==$(python -c 'from importlib.metadata import version; print(version("opencv-python-headless"))')"

COPY pyproject.toml README.md LICENSE ./
COPY abaw abaw
COPY harness harness
COPY solutions solutions
COPY leaderboard leaderboard
RUN python -m pip install --quiet --no-deps --no-build-isolation .

# runs, features and weights of the user, in a folder of the host
ENV HOME=/work
WORKDIR /work
EXPOSE 8501
ENTRYPOINT ["abaw"]
CMD ["--help"]
